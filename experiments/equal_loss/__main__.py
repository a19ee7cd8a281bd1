"""Does sparsity save energy here? Dense models and mixtures of experts trained on the same text.

Twelve runs of a small size (dense, 4, 16 and 32 experts, three seeds each) as GLaM's authors build
it, twelve as its paper alone has it, and four of a larger size: all with equal active parameters
and tokens, each predicted by the simulator before it starts and metered while it runs; what a step
costs is measured in turns when all are trained. A killed experiment resumes where it was, within a
run from its newest checkpoint. The results are small files in docs/experiment, and a page is
written from them.

    python -m experiments.equal_loss [--hours 1.75] [--out runs/experiment] [--docs docs]
    python -m experiments.equal_loss --quick            a few minutes, to see that it works
    python -m experiments.equal_loss --page             the page again, from the stored results
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.process import run_process
from benchmarks.simulator.local import calibrate
from energy.console import print_json
from energy.errors import InputError
from energy.files import write_text_atomic
from energy.guard import guard
from energy.meters.sources import open_sources
from experiments.equal_loss import costs, page
from experiments.equal_loss.plan import EXPERTS, HOURS, SIZES, Run, runs
from experiments.equal_loss.results import Json, gather, summary, without_infinities
from simulator.runs.predict import predict

QUICK_HOURS = 0.03


def main() -> None:
    """Run the experiment from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--hours", type=float, default=HOURS, help=f"length, about, on one core ({HOURS})"
    )
    parser.add_argument(
        "--quick", action="store_true", help="only the first seed of the small size"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/experiment"), help="folder for the runs"
    )
    parser.add_argument(
        "--docs", type=Path, help="folder for page, results and pictures (docs; a quick one: --out)"
    )
    parser.add_argument("--page", action="store_true", help="write the page from stored results")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: experiment(options))


def experiment(options: argparse.Namespace) -> None:
    """Train what is not trained yet, gather the results, and write the page.

    Raises:
        InputError: the hours are out of range, or there are no results to write a page from.
    """
    if not 0 < options.hours < 1000:
        raise InputError("expected --hours above 0 and below 1000", f"{options.hours:g}")
    docs = options.docs or (options.out / "page" if options.quick else Path("docs"))
    stored = docs / "experiment" / "results.json"
    if options.page:
        if not stored.exists():
            raise InputError(f"expected results at {stored}", "none", "run make experiment first")
        results = json.loads(stored.read_text(encoding="utf-8"))
    else:
        hours = QUICK_HOURS if options.quick else options.hours
        results = run_all(options.out, hours, quick=options.quick)
        write_text_atomic(stored, json.dumps(results, indent=None) + "\n")
    written = page.write(results, docs)
    if options.json:
        print_json(without_infinities(summary(results)))
    else:
        print(written)


def run_all(out: Path, hours: float, *, quick: bool = False) -> Json:
    """Predict and train every run that is not on disk yet; return the results of all.

    Args:
        out: folder for the runs.
        hours: length of all runs together, about.
        quick: only the first seed of the smallest size.

    Raises:
        InputError: the folder has an experiment of another length.
    """
    settings = out / "experiment.json"
    if settings.exists():
        began_with = json.loads(settings.read_text(encoding="utf-8"))["hours"]
        if began_with != hours:
            raise InputError(
                f"expected --hours {began_with:g}, with which {out} began",
                f"{hours:g}",
                "choose another --out to begin again",
            )
    else:
        write_text_atomic(settings, json.dumps({"hours": hours}) + "\n")
    machine, meters = out / "machine.toml", chosen_meters()
    if not machine.exists():
        calibrate(out, *meters)
    first_seed = len(EXPERTS) * len(SIZES[0].families)
    planned = runs(hours)[: first_seed if quick else None]
    for run in planned:
        predict_run(run, out / run.name, machine)
    progress = Console(stderr=True)
    for run in track(planned, "runs", console=progress, disable=not sys.stderr.isatty()):
        train(run, out / run.name, machine, meters)
    if not (out / costs.FILE).exists():
        run_process(
            [sys.executable, "-m", "experiments.equal_loss.costs", str(out), *_options(meters)]
        )
    return gather(planned, out, hours)


def predict_run(run: Run, out: Path, machine: Path) -> None:
    """Write the prediction of a run, once and before any training."""
    path = out / "predicted" / "record.json"
    if not path.exists():
        predict(run.scenario(str(machine))).record.save(path)


def chosen_meters() -> list[str]:
    """Names of the meters: none (all of them) if one measures, else the run's own processor time.

    A model of the whole machine's power would attribute the work of other processes to the run.
    """
    _, domains = open_sources("auto")
    measured = any(domain.origin == "measured" and not domain.reason for domain in domains)
    return [] if measured else ["cpu_tree"]


def train(run: Run, out: Path, machine: Path, meters: list[str]) -> None:
    """Train a run or resume it; nothing is done for a run that has ended."""
    if (out / "run" / "record.json").exists():
        return
    write_text_atomic(out / "run.toml", run.configuration())
    # A run that was killed before its first checkpoint starts again in its own ledger.
    resume = ["--resume"] if (out / "run" / "ledger.jsonl").exists() else []
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
            *resume,
            *_options(meters),
        ]
    )


def _options(meters: list[str]) -> list[str]:
    """The options that name meters on a command line."""
    return [word for name in meters for word in ("--meter", name)]


if __name__ == "__main__":
    main()
