"""Does sparse save energy here? Dense models and mixtures of experts, trained on the same text.

Twelve runs of a small size (dense, 4, 16 and 32 experts, three seeds each) and four of a larger
one, all of equal active parameters and tokens, each predicted by the simulator before it starts
and metered while it runs. A killed experiment goes on where it was, within a run from its newest
checkpoint. The results are small files under docs/experiment, and a page is written from them.

    python -m experiments.equal_loss [--hours 1] [--out runs/experiment] [--docs docs]
    python -m experiments.equal_loss --quick            three minutes, to see that it works
    python -m experiments.equal_loss --page             the page again, from the stored results
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.process import run_process
from benchmarks.simulator.local import calibrate
from energy.console import guard, print_json
from energy.errors import InputError
from energy.files import write_text_atomic
from energy.meters.sources import open_sources
from experiments.equal_loss import page as experiment_page
from experiments.equal_loss import results as experiment_results
from experiments.equal_loss.plan import EXPERTS, Run, runs
from simulator.runs.predict import predict

QUICK_HOURS = 0.03


def main() -> None:
    """Run the experiment from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=1.0, help="about, on one core (1)")
    parser.add_argument("--quick", action="store_true", help="four small runs, pages by them")
    parser.add_argument("--out", type=Path, default=Path("runs/experiment"), help="of the runs")
    parser.add_argument("--docs", type=Path, help="where page, data and pictures go (docs)")
    parser.add_argument("--page", action="store_true", help="write the page from stored results")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    chosen = parser.parse_args()
    guard(lambda: experiment(chosen))


def experiment(chosen: argparse.Namespace) -> None:
    """Train what is not trained yet, gather, and write the page.

    Raises:
        InputError: no time is given, or there are no results to write a page from.
    """
    if not 0 < chosen.hours < 1000:
        raise InputError("expected --hours above 0 and below 1000", f"{chosen.hours:g}")
    docs = chosen.docs or (chosen.out / "page" if chosen.quick else Path("docs"))
    stored = docs / "experiment" / "results.json"
    if chosen.page:
        if not stored.exists():
            raise InputError(f"expected results at {stored}", "none", "run make experiment first")
        told = json.loads(stored.read_text(encoding="utf-8"))
    else:
        hours = QUICK_HOURS if chosen.quick else chosen.hours
        told = trained(chosen.out, hours, quick=chosen.quick)
        write_text_atomic(stored, json.dumps(told, indent=None) + "\n")
    page = experiment_page.write(told, docs)
    if chosen.json:
        print_json(experiment_results.plain(experiment_results.summary(told)))
    else:
        print(page)


def trained(out: Path, hours: float, *, quick: bool = False) -> dict[str, Any]:
    """Every run of the experiment, done now or before, as the page needs it.

    Args:
        out: folder of the runs.
        hours: of all of them, about.
        quick: the first seed of the smallest size alone.

    Raises:
        InputError: the folder holds an experiment of other hours.
    """
    settings = out / "experiment.json"
    if settings.exists():
        began = json.loads(settings.read_text(encoding="utf-8"))["hours"]
        if began != hours:
            raise InputError(
                f"expected --hours {began:g}, with which {out} began",
                f"{hours:g}",
                "choose another --out to begin again",
            )
    else:
        write_text_atomic(settings, json.dumps({"hours": hours}) + "\n")
    machine, meters = out / "machine.toml", chosen_meters()
    if not machine.exists():
        calibrate(out, *meters)
    planned = runs(hours)[: len(EXPERTS) if quick else None]
    for run in planned:
        foretell(run, out / run.name, machine)
    talk = Console(stderr=True)
    for run in track(planned, "runs", console=talk, disable=not sys.stderr.isatty()):
        train(run, out / run.name, machine, meters)
    return experiment_results.gather(planned, out, hours)


def foretell(run: Run, out: Path, machine: Path) -> None:
    """Write the prediction of a run, once and before any training."""
    path = out / "predicted" / "record.json"
    if not path.exists():
        predict(run.question(str(machine))).record.save(path)


def chosen_meters() -> list[str]:
    """All meters where one measures; else the model of this run's own seconds.

    A model of the whole machine would count what others do on it against the run.
    """
    _, domains = open_sources("auto")
    measured = any(domain.origin == "measured" and not domain.reason for domain in domains)
    return [] if measured else ["cpu_tree"]


def train(run: Run, out: Path, machine: Path, meters: list[str]) -> None:
    """Train a run, or go on with it."""
    if (out / "run" / "record.json").exists():
        return
    write_text_atomic(out / "run.toml", run.configuration())
    # A run that was killed before its first checkpoint begins anew within its own ledger.
    again = ["--resume"] if (out / "run" / "ledger.jsonl").exists() else []
    run_process(
        [
            "glam",
            "train",
            "--model",
            str(out / "run.toml"),
            "--out",
            str(out / "run"),
            "--machine",
            str(machine),
            *again,
            *(word for name in meters for word in ("--meter", name)),
        ]
    )


if __name__ == "__main__":
    main()
