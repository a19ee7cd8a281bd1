"""Signals at random moments of every verb: nothing is half-written, and no traceback is seen.

Each trial starts a verb as a user does, and sends SIGINT, SIGTERM or SIGHUP to its process group,
as a terminal does: half of them in the first half second, half at any moment of a whole run. The
verb must end soon, by that signal or with an exit code that says so, in plain words, and every file
that it leaves must be whole.

    python -m benchmarks.commands.signals [--count 90] [--seed 1] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.progress import track

from benchmarks.tiny import DENSE_TOML
from energy.console import print_json
from energy.guard import guard

VERBS = (
    "energy run --out {out} -- sleep 2",
    "energy watch --seconds 2",
    "energy record {run}",
    "energy merge {run} --out {out}",
    "energy hourly {run} --location-series {series}",
    "energy trace {run} --out {out}.json",
    "energy list {runs}",
    "energy lint {run}",
    "energy import {hours} --out {out}",
    "energy compare {run} {run}",
    "energy report {runs} --html {out}.html",
    "energy doctor --seconds 1",
    "energy calibrate {wall} --out {out}.json",
    "energy verify {run}",
    "energy grid",
    "energy schema",
    "glam sizes",
    "glam train --model {model} --data {text} --out {out} --meter cpu_model",
    "glam eval {trained} --data {items} --out {out} --meter cpu_model",
    "glam experts {trained} --data a={text} --data b={text} --tokens 2000 --json",
    "glam finetune {trained} --task copa --data {items} --out {out} --meter cpu_model",
    "glam items {trained} --data {library} --out {out}",
    "glam compare {answers} {answers}",
    "glam probe --out {out}.json --meter cpu_model",
    "simulator init {out}.toml",
    "simulator predict glam-mini-16e --plot {out}.svg",
    "simulator predict glam-64b-64e --trace {out}.json",
    "simulator compare glam-64b-64e gpt3-175b",
    "simulator sensitivity glam-mini-16e",
    "simulator plan glam-8b-64e --chip h100 --chips 64 --save {out}.toml",
    "simulator sweep glam-8b-64e --chip h100 --chips 64,128 --plot {out}.svg",
    "simulator regions",
    "simulator validate --runs published",
    "simulator chips --csv",
)
"""Command lines; {out} is a new path, the others are files that exist."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

EARLY_S = 0.5
"""The first half second, in which half of the signals arrive."""

ENDS_S = 30.0
"""How long a verb may take to end after a signal; it writes its record or its checkpoint."""

WORDS = ("Traceback", "Exception ignored", "Fatal Python error")

GUARDED = re.compile(r'guard\.py", line \d+, in (start|guard)')
"""In a traceback: our own code had begun, so Ctrl-C was prepared for."""

TINY = f"{DENSE_TOML}[training]\nsteps = 30\n"

WALL = "device,model,duration_s,codecarbon_j,wall_j\n" + "".join(
    f"cpu,{model},{10 + run},{500 + 50 * run},{900 + 90 * run}\n"
    for model in ("a", "b")
    for run in range(6)
)


@dataclass(frozen=True)
class Trial:
    """A verb, a signal and the moment at which it arrives.

    Attributes:
        line: the command line.
        name: of the signal.
        after_s: seconds from the start of the process.
    """

    line: str
    name: str
    after_s: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        trial: what was tried.
        code: exit code as the system reports it: negative for death by a signal.
        wrong: what should not have been; empty if nothing.
        in_start: whether Python was interrupted before our main function was called, and says so.
    """

    trial: Trial
    code: int | None
    wrong: str
    in_start: bool = False


def trials(count: int, seed: int) -> Iterator[Trial]:
    """So many trials: every verb in turns, every signal in turns, early and late in turns."""
    draw = random.Random(seed)
    lines = [draw.sample(VERBS, len(VERBS)) for _ in range(-(-count // len(VERBS)))]
    order = [line for round_ in lines for line in round_]
    for number, line in enumerate(order[:count]):
        most_s = EARLY_S if number % 2 == 0 else 4.0
        yield Trial(line, draw.choice(SIGNALS).name, draw.uniform(0.0, most_s))


def outcome(trial: Trial, inputs: dict[str, str], folder: Path) -> Outcome:
    """Run a verb, send the signal, and judge what is seen and left."""
    words = [word.format(out=folder / "out", **inputs) for word in trial.line.split()]
    number = signal.Signals[trial.name]
    run = subprocess.Popen(
        [sys.executable, "-m", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "HOME": str(folder)},
        preexec_fn=_nothing_ignored,
    )
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.communicate(timeout=trial.after_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, number)
        _, err = run.communicate(timeout=ENDS_S)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        _, err = run.communicate()
        last = err.decode(errors="replace")[-300:]
        return Outcome(trial, None, f"still running {ENDS_S:.0f} s after the signal: {last}")
    said = err.decode(errors="replace")
    code = run.returncode
    if any(word in said for word in WORDS):
        in_start = trial.name == "SIGINT" and not GUARDED.search(said)
        return Outcome(trial, code, "" if in_start else f"a traceback: {said[-600:]}", in_start)
    if code not in (0, -number, 128 + number):
        return Outcome(trial, code, f"exit code {code}: {said[-300:]}")
    return Outcome(trial, code, half_written(folder))


def _nothing_ignored() -> None:
    """A shell lets what it starts in the background ignore Ctrl-C, and that is inherited."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def half_written(folder: Path) -> str:
    """The first file in a folder that is not whole; empty if all are.

    What is left of a checkpoint that was being written or deleted has a name that says so.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in (path for path in files if path.parent.suffix not in (".partial", ".old")):
        if path.name.startswith(".") and path.suffix != ".lock" and path.name != ".metadata":
            return f"a temporary file is left: {path.name}"
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            if path.suffix == ".svg" and not path.read_text().rstrip().endswith("</svg>"):
                return f"half a picture: {path.name}"
            if path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
                return f"half a page: {path.name}"
        except ValueError as error:
            return f"half a document: {path.name}: {error}"
    return ""


ITEMS = '{"query": "The lamp broke, because", "choices": ["it fell.", "it shone."], "gold": 0}\n'

ANSWERS = '{"task": "copa", "item": "a", "right": 1.0, "group": "one"}\n'

HOURS = "model,hardware,gpu_hours,watts\nsmall,A100-80GB,184320,400\n"


def prepare(folder: Path) -> dict[str, str]:
    """The files that the verbs read: a metered run, rows of a wall meter, a tiny model, trained."""
    run = folder / "runs" / "one"
    words = [sys.executable, "-m", "energy", "run", "--out", str(run), "--interval", "0.1"]
    subprocess.run([*words, "--", "sleep", "1"], check=True, capture_output=True)
    (folder / "wall.csv").write_text(WALL)
    (folder / "hours.csv").write_text(HOURS)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [(now + timedelta(hours=i)).isoformat() for i in range(-2, 26)]
    (folder / "grid.csv").write_text("\n".join(["time,g_per_kwh", *(f"{h},50" for h in hours), ""]))
    (folder / "tiny.toml").write_text(TINY)
    sources = sorted(Path(json.__file__).parent.glob("*.py"))
    (folder / "text.txt").write_text("\n".join(path.read_text() for path in sources))
    (folder / "items").mkdir()
    for split in ("", ".train", ".validation"):
        (folder / "items" / f"copa{split}.jsonl").write_text(ITEMS)
    (folder / "answers").mkdir()
    (folder / "answers" / "answers.jsonl").write_text(ANSWERS)
    words = [sys.executable, "-m", "glam", "train", "--model", str(folder / "tiny.toml")]
    words += ["--steps", "2", "--out", str(folder / "trained"), "--meter", "cpu_model"]
    subprocess.run([*words, "--data", str(folder / "text.txt")], check=True, capture_output=True)
    return {
        "run": str(run),
        "runs": str(folder / "runs"),
        "wall": str(folder / "wall.csv"),
        "hours": str(folder / "hours.csv"),
        "series": str(folder / "grid.csv"),
        "model": str(folder / "tiny.toml"),
        "text": str(folder / "text.txt"),
        "trained": str(folder / "trained"),
        "items": str(folder / "items"),
        "answers": str(folder / "answers"),
        "library": str(Path(asyncio.__file__).parent),
    }


def outcomes(chosen: Iterable[Trial]) -> Iterator[Outcome]:
    """The outcome of each trial, each in an empty folder."""
    with tempfile.TemporaryDirectory() as place:
        inputs = prepare(Path(place))
        for trial in chosen:
            with tempfile.TemporaryDirectory() as folder:
                yield outcome(trial, inputs, Path(folder))
                time.sleep(0.05)


def main() -> None:
    """Run the trials from the command line; exit with 5 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=90, help="signals (90)")
    parser.add_argument("--seed", type=int, default=1, help="of verbs, signals and moments (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: report(options.count, options.seed, as_json=options.json))


def report(count: int, seed: int, *, as_json: bool) -> None:
    """Print how many trials ended well, and what was wrong with the others."""
    chosen = list(trials(count, seed))
    results = list(track(outcomes(chosen), total=count, description="signals", transient=True))
    wrong = [result for result in results if result.wrong]
    if as_json:
        print_json({"outcomes": [asdict(result) for result in results]})
    else:
        for result in wrong:
            trial = result.trial
            print(f"{trial.name} after {trial.after_s:.2f} s of {trial.line}: {result.wrong}")
        in_start = sum(result.in_start for result in results)
        print(
            f"{count - len(wrong)} of {count} signals ended well; {in_start} of them came while "
            "Python was starting, before our main function, and show its own traceback"
        )
    if wrong:
        sys.exit(5)


if __name__ == "__main__":
    main()
