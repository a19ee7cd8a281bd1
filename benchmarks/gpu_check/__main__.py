"""Check on a real GPU what no stand-in can show, in under 8 minutes and without a network.

    python -m benchmarks.gpu_check [--only STAGE]... [--rehearse] [--json]

Stages: doctor, driver, sensor, overhead, step, forecast. The records of a whole check are kept in
benchmarks/gpu_check/records and docs/gpu.md is drawn anew; so is it, without a check, by --draw.
--rehearse runs against a stand-in for the driver with everything short, and keeps all it writes in
the folder of --out. Exit code 4 if a stage could not run here, 5 if one failed or was late.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu_check import page, records
from benchmarks.gpu_check.stages import STAGES, Settings, run_all
from benchmarks.pages import print_table
from benchmarks.process import ROOT
from energy.console import print_json
from energy.errors import MissingDataError, ToleranceError
from energy.files import write_text_atomic
from energy.guard import guard

PAGE = ROOT / "docs" / "gpu.md"

SENSOR = {"DELAY_S": "0.04", "AVERAGE_S": "0.025", "HOLD_S": "0.1", "TICK_S": "0.1"}
"""The sensors of the stand-in, unless they are set otherwise."""


def main() -> None:
    """Run the check from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [stage.name for stage in STAGES]
    parser.add_argument("--only", action="append", choices=names, help="a stage; repeatable")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "runs" / "gpu-check", help="folder for what is written"
    )
    parser.add_argument("--rehearse", action="store_true", help="a stand-in instead of a GPU")
    parser.add_argument("--draw", action="store_true", help="draw the page anew, measure nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    if options.draw:
        guard(lambda: draw(records.FOLDER, PAGE))
        return
    guard(
        lambda: check(
            options.out.resolve(),
            only=options.only or names,
            rehearse=options.rehearse,
            as_json=options.json,
        )
    )


def check(out: Path, *, only: Sequence[str], rehearse: bool, as_json: bool) -> None:
    """Run stages, print a table or JSON, and keep the records.

    Args:
        out: folder for logs and runs; in a rehearsal for records, page and sensor file too.
        only: names of the stages.
        rehearse: run against the stand-in.
        as_json: print the check as JSON.

    Raises:
        MissingDataError: a stage cannot run here.
        ToleranceError: a stage failed or was late.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = rehearsal(out) if rehearse else Settings(str(out))
    stages = [stage for stage in STAGES if stage.name in only]
    begin_s = time.monotonic()

    def progress(stage: str, words: str) -> None:
        print(f"[{time.monotonic() - begin_s:4.0f} s] {stage}: {words}", file=sys.stderr)

    outcomes = run_all(stages, settings, progress)
    done = records.check_of(outcomes, time.strftime("%Y-%m-%d", time.gmtime()))
    if as_json:
        print_json(done)
    else:
        shown = [row for row in page.rows(done) if row[0] in only]
        print_table(("stage", "state", "s", "result"), shown)
    if len(stages) == len(STAGES) and done["board"]:
        folder = out / "records" if rehearse else records.FOLDER
        print(f"records: {records.keep(done, folder)}", file=sys.stderr)
        draw(folder, out / "gpu.md" if rehearse else PAGE)
    bad = [name for name, outcome in outcomes.items() if outcome.state in ("failed", "late")]
    if bad:
        raise ToleranceError("expected every stage to be done", f"not so: {', '.join(bad)}")
    absent = [name for name, outcome in outcomes.items() if outcome.state == "not run"]
    if absent:
        raise MissingDataError("expected a GPU for every stage", f"none for {', '.join(absent)}")


def draw(folder: Path, path: Path) -> None:
    """Write the page from the records in a folder."""
    write_text_atomic(path, page.render(records.load_all(folder)))
    print(f"page: {path}", file=sys.stderr)


def rehearsal(out: Path) -> Settings:
    """Let this process and its children see the stand-in for the driver and no other settings.

    Args:
        out: folder for the library, the load, the sensor file and all else.
    """
    from tests.support.standin import compiled_nvml

    load = out / "load.txt"
    load.write_text("")
    for name, value in SENSOR.items():
        os.environ.setdefault(f"STANDIN_{name}", value)
    os.environ |= {
        "LD_LIBRARY_PATH": str(compiled_nvml(out).parent),
        "STANDIN_LOAD": str(load),
        "XDG_CONFIG_HOME": str(out / "config"),
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "1",
    }
    return Settings(str(out), device="cpu", short=True, load=str(load))


if __name__ == "__main__":
    main()
