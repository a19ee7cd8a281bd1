"""`energy run`: meter any command; its output, signals and exit code pass through."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

from energy.errors import CommandError, InputError, MissingDataError
from energy.facts.site import Site
from energy.footprint.apply import at_site
from energy.ledger import accounting
from energy.ledger import reader as ledger
from energy.ledger.reader import require_ledger
from energy.meters import sources
from energy.record import RunRecord
from energy.tracking.tracker import Tracker
from energy.verbs.child import Command, require_program
from energy.verbs.codecarbon import SecondOpinion


def run(
    command: list[str],
    out: Path,
    *,
    labels: Mapping[str, str],
    site: Site,
    interval_s: float,
    second_opinion: bool = False,
    meters: str | list[str] = "auto",
) -> tuple[RunRecord, int]:
    """Run a command under the meters and write `out/record.json`.

    Args:
        command: program and arguments.
        out: folder for ledger and record.
        labels: labels of the run, copied into the record.
        site: where it runs, for carbon, water and cost.
        interval_s: seconds between samples.
        second_opinion: run CodeCarbon as well and report how its result differs.
        meters: "auto", or names of sources.

    Returns:
        The record, and the exit code as a shell reports it: 128 + signal for a killed command.

    Raises:
        CommandError: there is no such program, or it cannot be run; nothing is left behind.
        InputError: the folder cannot be written or contains a ledger, or a meter is unknown.
        SystemExit: with the command's exit code, when its ledger was deleted in the meantime.
    """
    require_program(command[0])
    sources.require(meters)
    if (out / ledger.FILE).exists():
        raise InputError(
            "expected a folder without a ledger", str(out), "choose another with --out"
        )
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    codecarbon = SecondOpinion() if second_opinion else None
    tracker = Tracker(
        out, name=Path(command[0]).name, labels=labels, meters=meters, interval_s=interval_s
    )
    with Command(command) as program:
        try:
            with codecarbon or contextlib.nullcontext(), tracker:
                with tracker.window("command"):
                    code = program.run(tracker.sampler_pid)
                tracker.mark("exit", code=code)
        except CommandError:
            _remove(out, new_folders)
            raise
        return _recorded(tracker, command, code, site, codecarbon), code


def _recorded(
    tracker: Tracker, command: list[str], code: int, site: Site, codecarbon: SecondOpinion | None
) -> RunRecord:
    """Write the record of a command that has ended."""
    try:
        measured = tracker.record()
    except MissingDataError as error:
        # The command has run: its exit code counts, whatever happened to our files.
        print(f"no record of this run: {error}", file=sys.stderr)
        sys.exit(code)
    if codecarbon is not None:
        total, note = codecarbon.compare(measured)
        measured.metrics["codecarbon_energy_j"] = total
        measured.notes.append(note)
    record = at_site(measured, site)
    record.environment["command"] = " ".join(command)
    record.environment["exit_code"] = code
    record.save(tracker.out_dir / "record.json")
    return record


def _remove(out: Path, new_folders: list[Path]) -> None:
    """Remove what was created for a command that did not start."""
    with contextlib.suppress(OSError):
        for file in (out / ledger.FILE, *out.glob(ledger.node_file_name("*"))):
            file.unlink()
        for folder in new_folders:
            folder.rmdir()


def rebuild(folder: Path, site: Site) -> RunRecord:
    """Write the record of a run from its ledger, when its own process could not.

    Raises:
        InputError: there is no ledger.
        MissingDataError: the ledger contains no sample.
    """
    path = require_ledger(folder)
    name = next((s.header.get("name", "run") for s in ledger.segments(path)), "run")
    record = accounting.record(path, name=name, labels={}, notes=["rebuilt from the ledger"])
    record = at_site(record, site)
    record.save(path.parent / "record.json")
    return record
