"""Evaluates many checkpoints in one process, and keeps what each answered in a folder.

    python -m benchmarks.evaluation.checkpoints RUNS --suite home --data ITEMS --out FOLDER

RUNS are folders of runs, or have one in each folder of theirs, as those of the experiment. What is
in the folder already is left as it is.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from energy import Tracker
from energy.console import plain
from energy.files import write_text_atomic
from glam.checkpoints.checkpoint import checkpoints
from glam.evaluation.run import evaluate_checkpoint
from glam.evaluation.suite import SUITES, chosen_tasks


def runs_of(paths: list[Path], seeds: str) -> dict[str, Path]:
    """Return the folders of runs by name, those of some seeds only."""
    inside = [run for path in paths for run in [path, *sorted(path.glob("*/run"))]]
    named = {(run.parent if run.name == "run" else run).name: run for run in inside}
    return {
        name: run
        for name, run in named.items()
        if checkpoints(run / "checkpoints") and name.endswith(tuple(seeds.split(",")))
    }


def main() -> None:
    """Ask every run the items that it has no answers to yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--suite", choices=SUITES, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--seeds", default="", help="ends of the names of runs, by commas")
    options = parser.parse_args()
    tasks = chosen_tasks(options.suite, None)
    for name, run in runs_of(options.runs, options.seeds).items():
        for shots in (0, 1):
            out = options.out / f"{options.suite}-{shots}-shot" / name
            if (out / "evaluation.json").exists():
                continue
            evaluation = evaluate_checkpoint(
                run,
                tasks,
                data=options.data,
                shots=shots,
                limit=options.limit,
                out=out,
                tracker=partial(Tracker, meters=["cpu_tree"]),
            )
            document = {**evaluation.as_json(), "record": None}
            write_text_atomic(out / "evaluation.json", json.dumps(document, default=plain))
            (out / "ledger.jsonl").unlink(missing_ok=True)
            print(name, options.suite, shots, flush=True)


if __name__ == "__main__":
    main()
