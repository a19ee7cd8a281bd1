"""A small training run under torchrun, as the benchmarks of restarts and checkpoints start it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.distributed.launch import command, environment
from benchmarks.tiny import MIXTURE_TOML
from energy.errors import ToleranceError
from energy.meters.files import process_state

PATIENCE_S = 900.0
"""For what takes long on a machine that others use too."""

RUN = f"""name = "restarts"
{MIXTURE_TOML}[training]
steps = {{steps}}
batch_sequences = 4
log_every = 1
checkpoint_every = {{every}}
evaluate_batches = 1
threads = 1
device = "cpu"
precision = "float32"
[corpus]
paths = ["texts"]
validation_fraction = 0.3
"""


def prepare(folder: Path, steps: int, every: int = 10) -> None:
    """Write configuration and text.

    Args:
        folder: of the runs.
        steps: of each.
        every: steps between checkpoints.
    """
    (folder / "run.toml").write_text(RUN.format(steps=steps, every=every))
    (folder / "texts").mkdir()
    for path in Path(json.__file__).parent.glob("*.py"):
        (folder / "texts" / path.name).write_text(path.read_text())


def launch(
    folder: Path,
    out: str,
    processes: int,
    *options: str,
    restarts: int = 0,
    settings: Mapping[str, str] | None = None,
) -> subprocess.Popen[str]:
    """Start a run under torchrun; its output goes to a file.

    Args:
        folder: with configuration and text.
        out: folder of the run within it.
        processes: number of processes.
        *options: of `glam train`.
        restarts: how often they are started again.
        settings: further variables of their environment.
    """
    arguments = ["train", "--model", "run.toml", "--out", out, *options]
    with (folder / f"{out}.log").open("a") as log:
        return subprocess.Popen(
            [*command(processes, "benchmarks.distributed.sleepy", restarts), *arguments],
            cwd=folder,
            env={**environment(folder), **(settings or {})},
            stdout=log,
            stderr=log,
            text=True,
        )


def finish(run: subprocess.Popen[str], log: Path) -> None:
    """Wait for the end of a run.

    Raises:
        ToleranceError: it failed.
    """
    if code := run.wait(PATIENCE_S):
        raise ToleranceError("expected a run that ends in order", f"exit code {code}: {_end(log)}")


def until(done: Callable[[], bool], run: subprocess.Popen[str], log: Path, every_s: float) -> None:
    """Wait until something is so while a run goes on.

    Raises:
        ToleranceError: the run ended before.
    """
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s and run.poll() is None:
        if done():
            return
        time.sleep(every_s)
    raise ToleranceError("expected a run that goes on", _end(log))


def workers(launcher: int) -> dict[int, int]:
    """Return the process of each rank that a launcher has started."""
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ranks = {}
    for pid in children:
        try:
            text = Path(f"/proc/{pid}/environ").read_bytes().decode()
        except OSError:
            continue
        if match := re.search(r"(?:^|\0)RANK=(\d+)\0", text):
            ranks[int(match[1])] = int(pid)
    return ranks


def is_running(pid: int) -> bool:
    """Whether a process is there, and no zombie that its parent has not looked at yet."""
    return process_state(Path(f"/proc/{pid}/stat")) not in ("", "Z")


def losses(out: Path) -> list[float]:
    """Return the loss of each step of a run."""
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").open()]


def _end(log: Path) -> str:
    return log.read_text(errors="replace")[-500:]
