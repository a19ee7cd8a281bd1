"""A run whose processes are killed and stopped at random steps ends as an uninterrupted one.

    python -m benchmarks.distributed.restarts --kills 10 --hangs 5 [--json]

torchrun restarts the processes; training goes on from the last checkpoint. A stopped process must
be named, with its last step, within the timeout and two seconds. Loss and tokens must be equal, and
the repeated work must be counted as wasted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.distributed.launch import command, environment
from benchmarks.tiny import MIXTURE_TOML
from energy import RunRecord
from energy.console import print_json
from energy.errors import ToleranceError
from energy.guard import guard
from energy.quantity import Boundary

PATIENCE_S = 300.0
"""For what takes long on a machine that others use too."""

RUN = f"""name = "restarts"
{MIXTURE_TOML}[training]
steps = {{steps}}
batch_sequences = 4
log_every = 1
checkpoint_every = 10
evaluate_batches = 1
threads = 1
device = "cpu"
precision = "float32"
[corpus]
paths = ["texts"]
validation_fraction = 0.3
"""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--hangs", type=int, default=5)
    parser.add_argument("--timeout", type=float, default=10.0, help="of a message, in seconds")
    parser.add_argument("--grace", type=float, default=2.0, help="seconds after it, to be named")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train twice, once with interruptions; print what became of them.

    Raises:
        ToleranceError: an interruption changed the result, or a stopped process was not named.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.steps)
        finish(launch(folder, "whole", options, 0))
        ends = interrupted(folder, options)
        results = compared(folder, ends)
    if options.json:
        print_json(results)
    else:
        for end in ends:
            print(*(f"{key} {value}" for key, value in end.items()), sep=", ")
        print(*(f"{key}: {value}" for key, value in results.items() if key != "ends"), sep="\n")
    if not results["passed"]:
        raise ToleranceError("expected a run that ends as an uninterrupted one", "another")


def prepare(folder: Path, steps: int) -> None:
    """Write configuration and text."""
    (folder / "run.toml").write_text(RUN.format(steps=steps))
    (folder / "texts").mkdir()
    for path in Path(json.__file__).parent.glob("*.py"):
        (folder / "texts" / path.name).write_text(path.read_text())


def launch(
    folder: Path, out: str, options: argparse.Namespace, restarts: int
) -> subprocess.Popen[str]:
    """Start a run under torchrun; its output goes to a file."""
    arguments = ["train", "--model", "run.toml", "--out", out, "--expert-parallel", "2", "--shard"]
    arguments += ["--timeout", str(options.timeout)]
    with (folder / f"{out}.log").open("w") as log:
        return subprocess.Popen(
            [*command(options.processes, "glam", restarts), *arguments],
            cwd=folder,
            env=environment(folder),
            stdout=log,
            stderr=log,
            text=True,
        )


def finish(run: subprocess.Popen[str]) -> None:
    """Wait for the end of a run."""
    code = run.wait(PATIENCE_S)
    if code:
        raise ToleranceError("expected a run that ends in order", f"exit code {code}")


def interrupted(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train while processes are killed or stopped; return what became of each interruption."""
    generator = random.Random(options.seed)
    kinds = ["kill"] * options.kills + ["hang"] * options.hangs
    generator.shuffle(kinds)
    run = launch(folder, "broken", options, len(kinds))
    ends = []
    for attempt, kind in enumerate(kinds):
        wait_until_step(folder, run, attempt, generator.randint(1, 8))
        rank = generator.randrange(options.processes)
        pid = workers(run.pid)[rank]
        begun_s, said = time.monotonic(), len((folder / "broken.log").read_text())
        os.kill(pid, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
        end: dict[str, Any] = {"attempt": attempt, "kind": kind, "rank": rank}
        if kind == "hang":
            named = wait_for_name(folder, said, options.timeout + options.grace + PATIENCE_S)
            seconds = time.monotonic() - begun_s
            end |= {"named": named, "seconds": round(seconds, 1)}
            end["passed"] = named == rank and seconds <= options.timeout + options.grace
            os.kill(pid, signal.SIGKILL)  # torchrun would do so after 30 seconds
        ends.append(end)
    finish(run)
    return ends


def wait_until_step(folder: Path, run: subprocess.Popen[str], attempt: int, steps: int) -> None:
    """Wait until an attempt has done so many steps."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and run.poll() is None:
        if steps_of(folder / "broken", attempt) >= steps:
            return
        time.sleep(0.02)
    raise ToleranceError("expected a run that goes on", (folder / "broken.log").read_text()[-500:])


def steps_of(out: Path, attempt: int) -> int:
    """Return the steps that an attempt has done, from the ledger of the first process."""
    ledger = out / "rank-0" / "ledger.jsonl"
    if not ledger.exists():
        return 0
    attempts = ledger.read_text(errors="replace").split('"k":"header"')
    return attempts[attempt + 1].count('"kind":"step"') if len(attempts) > attempt + 1 else 0


def workers(launcher: int) -> dict[int, int]:
    """Return the process of each rank that a launcher has started."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ranks = {}
    for pid in children:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode()
        if match := re.search(r"(?:^|\0)RANK=(\d+)\0", text):
            ranks[int(match[1])] = int(pid)
    return ranks


def wait_for_name(folder: Path, since: int, limit_s: float) -> int | None:
    """Return the rank that the run names as late."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        text = (folder / "broken.log").read_text()[since:]
        if match := re.search(r"no word from rank (\d+) \(last step \d+\)", text):
            return int(match[1])
        time.sleep(0.05)
    return None


def compared(folder: Path, ends: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how the interrupted run ended, beside the other."""
    whole, broken = (RunRecord.load(folder / out / "record.json") for out in ("whole", "broken"))
    losses = [
        [json.loads(line)["loss"] for line in (folder / out / "metrics.jsonl").open()]
        for out in ("whole", "broken")
    ]
    wasted, flop = broken.wasted.model_flop.value or 0.0, broken.model_flop.value
    passed = (
        losses[0] == losses[1]
        and broken.tokens.value == whole.tokens.value
        and flop == whole.model_flop.value
        and (wasted > 0 or not ends)
        and all(end.get("passed", True) for end in ends)
    )
    return {
        "interruptions": len(ends),
        "final_loss": losses[1][-1],
        "final_loss_uninterrupted": losses[0][-1],
        "losses_bit_equal": losses[0] == losses[1],
        "wasted_flop_over_model_flop": wasted / flop if flop else None,
        "wasted_j": broken.wasted.energy_j.value,
        "energy_j": broken.totals[Boundary.CHIP].value,
        "passed": passed,
        "ends": ends,
    }


if __name__ == "__main__":
    main()
