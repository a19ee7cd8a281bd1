"""`energy run`: meter any command; its output, signals and exit code pass through.

What computes the record is loaded when the command has ended, so that it starts at once.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from energy.errors import CommandError, InputError, MissingDataError
from energy.files import group_may_read
from energy.guard import say
from energy.ledger.environment import command_line
from energy.ledger.job import Job, attempt_of
from energy.ledger.lines import FILE, node_file_name, require_ledger
from energy.tracking.tracker import Tracker
from energy.verbs.child import Command, require_program

if TYPE_CHECKING:
    from energy.facts.site import Site
    from energy.record import RunRecord
    from energy.verbs.codecarbon import SecondOpinion
    from energy.verbs.hourly import Sources
    from energy.verbs.server_tokens import ServerTokens

ONE_NODE = "metered on 1 of {nodes} nodes of the job: start energy run under srun to meter them all"

LEFT_RUNNING = (
    "still running after the command, and no longer metered: {} (energy run --wait meters it)"
)


def folder_of(command: list[str], out: Path | None, own: Job) -> Path:
    """The folder of a run; each rank of a parallel job has one of its own in the job's folder.

    So has each attempt of a rank that its launcher starts again.

    Args:
        command: program and arguments.
        out: the folder that the user named; None to name one by the command and the job or time.
        own: job and rank of this process.
    """
    again = f"-attempt-{attempt_of(own.as_dict())}" if own.attempt or own.restart else ""
    rank = f"rank-{own.rank}{again}" if own.parallel else ""
    if out is not None:
        return out / rank
    name = Path(command[0]).name
    if not rank:
        return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    # Ranks of a launch without a name have its process in common. A job may launch the same command
    # again: every rank takes the first folder that is free.
    job = own.id or f"{time.strftime('%Y%m%d')}-{os.getppid()}"
    numbers = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    folders = (Path("runs") / f"{name}-{job}{number}" / rank for number in numbers)
    return next(folder for folder in folders if not (folder / FILE).exists())


def label_of(text: str) -> tuple[str, str]:
    """A label as a user writes it: key=value.

    Raises:
        InputError: there is no key, or no equals sign.
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InputError("expected a label as key=value", text, "--label task=demo")
    return key, value


def heading(folder: Path, own: Job) -> list[str]:
    """The lines that stand above the summary of a run: where its record is, and its rank."""
    lines = [f"record: {folder / 'record.json'}"]
    if own.parallel:
        lines[0] += f" (rank {own.rank} of {own.ranks})"
        if own.rank == 0:
            whole = shlex.quote(str(folder.parent))
            lines.append(f"all ranks: energy merge {whole}")
    return lines


def run(
    command: list[str],
    out: Path,
    own: Job,
    *,
    second_opinion: bool = False,
    power_limit_w: float | None = None,
    wait: bool = False,
    tokens_from: str | None = None,
    over_time: Sources | None = None,
    **tracking: Any,
) -> tuple[RunRecord, int]:
    """Run a command under the meters and write `out/record.json`.

    Args:
        command: program and arguments.
        out: folder for ledger and record.
        own: job and rank of this process.
        second_opinion: run CodeCarbon as well and report how its result differs.
        power_limit_w: power limit of every board for the time of the run.
        wait: meter what the command leaves running until that has ended, too.
        tokens_from: address of the metrics of a server, or its log, to count its tokens from.
        over_time: series of intensity, which are read again when the command has ended.
        **tracking: labels, zone, pue, site, meters, interval_s and group of the `Tracker`.

    Returns:
        The record, and the exit code as a shell reports it: 128 + signal for a killed command.

    Raises:
        CommandError: there is no such program, or it cannot be run; nothing is left behind.
        InputError: the folder cannot be written or contains a ledger, a meter is unknown, or the
            power limit cannot be set.
        SystemExit: with the command's exit code, when its ledger was deleted in the meantime or
            the record cannot be written.
    """
    require_program(command[0])
    if over_time is not None:
        over_time.series()  # raises before work begins
    tracking["labels"] = {**_labels(own), **tracking.get("labels", {})}
    tracker = Tracker(out, name=Path(command[0]).name, leave_record=False, **tracking)
    if (out / FILE).exists():
        raise InputError(
            "expected a folder without a ledger", str(out), "choose another with --out"
        )
    new_folders = [folder for folder in (out, *out.parents) if not folder.exists()]
    with contextlib.ExitStack() as stack:
        facts = {} if power_limit_w is None else _limited(power_limit_w, stack)
        codecarbon = _second_opinion() if second_opinion else None
        counted = None if tokens_from is None else _counting(tokens_from, tracker)
        program = stack.enter_context(Command(command, wait=wait))
        try:
            code = _metered(program, tracker, codecarbon, counted)
        except CommandError:
            _remove(out, new_folders)
            raise
        tracker.notes += _notes(own, program.left_running)
        tracker.notes += [] if counted is None else [counted.note]
        facts |= {"command": command_line(command), "exit_code": code}
        return _recorded(tracker, facts, codecarbon, counted, over_time), code


def _limited(power_w: float, stack: contextlib.ExitStack) -> dict[str, Any]:
    """Limit the power of every board until the stack is left; returns facts for the record."""
    from energy.verbs.power_limit import PowerLimit

    return {"power_limit": stack.enter_context(PowerLimit(power_w)).as_dict()}


def _second_opinion() -> SecondOpinion:
    from energy.verbs.codecarbon import SecondOpinion

    return SecondOpinion()


def _counting(place: str, tracker: Tracker) -> ServerTokens:
    """A count of a server's tokens, whose answers are those of the run, as marks of its ledger."""
    from energy.verbs.server_tokens import ANSWER, ServerTokens

    def counted(phase: str, count: float) -> None:
        if phase == ANSWER:
            tracker.add_tokens(count)
        else:
            tracker.mark("prompt_tokens", count=count)

    return ServerTokens(place, counted)


def _metered(
    program: Command,
    tracker: Tracker,
    codecarbon: SecondOpinion | None,
    counted: ServerTokens | None,
) -> int:
    """Run the command inside a window; returns its exit code."""
    with codecarbon or contextlib.nullcontext(), tracker:
        with tracker.window("command"), counted or contextlib.nullcontext():
            others = codecarbon.pids if codecarbon else []
            code = program.run(lambda: [*tracker.sampler_pids, *others])
        tracker.mark("exit", code=code)
    return code


def _notes(own: Job, left_running: list[str]) -> list[str]:
    """What the record leaves out: processes after the command, and other nodes."""
    notes = []
    if left_running:
        notes.append(LEFT_RUNNING.format(", ".join(left_running)))
    if (own.nodes or 1) > 1 and not own.parallel:
        notes.append(ONE_NODE.format(nodes=own.nodes))
    return notes


def _labels(own: Job) -> dict[str, str]:
    """The job, the node and the rank as labels, as far as they are known."""
    values = {"job": own.id, "node": own.node, "rank": own.rank if own.parallel else None}
    return {name: str(value) for name, value in values.items() if value is not None}


def _recorded(
    tracker: Tracker,
    facts: Mapping[str, Any],
    codecarbon: SecondOpinion | None,
    counted: ServerTokens | None,
    over_time: Sources | None,
) -> RunRecord:
    """Write the record of a command that has ended, with these facts in its environment."""
    try:
        record = tracker.record()
    except MissingDataError as error:
        _exit_without_record(error, facts["exit_code"])
    if codecarbon is not None:
        total, note = codecarbon.compare(record)
        record.metrics["codecarbon_energy_j"] = total
        record.notes.append(note)
    if counted is not None:
        _per_token(record, counted)
    record.environment |= facts
    if over_time is not None:
        record = _by_hour(record, tracker.path, over_time)
    try:
        record.save(tracker.out_dir / "record.json", group=tracker.group)
    except InputError as error:
        _exit_without_record(error, facts["exit_code"])
    return record


def _by_hour(record: RunRecord, ledger: Path, over_time: Sources) -> RunRecord:
    """The record with CO2e hour by hour, or with a note why there is none yet."""
    from energy.footprint.apply import with_figures
    from energy.verbs.hourly import by_hour

    try:
        hours = by_hour([ledger], over_time.series())
    except (InputError, MissingDataError) as error:
        record.notes.append(f"no CO2e hour by hour: {error} (later: energy hourly {ledger.parent})")
        return record
    factors: dict[str, Any] = {figure: own.factor for figure, own in hours.items()}
    return with_figures(record, **factors)


def _per_token(record: RunRecord, counted: ServerTokens) -> None:
    """Joules of a token of the answers by boundary, and the tokens of the prompts."""
    from energy.arithmetic import per_token
    from energy.quantity import Quantity
    from energy.verbs.server_tokens import PROMPT

    prompts = counted.tokens[PROMPT]
    record.metrics["prompt_tokens"] = Quantity.exact(prompts, "1", counted.place)
    record.metrics |= per_token(record.totals, record.tokens)


def _exit_without_record(error: Exception, code: int) -> NoReturn:
    """The command has run: its exit code counts, whatever happened to our files."""
    say(f"no record of this run: {error}")
    sys.exit(code)


def _remove(out: Path, new_folders: list[Path]) -> None:
    """Remove what was created for a command that did not start."""
    with contextlib.suppress(OSError):
        for file in (out / FILE, *out.glob(node_file_name("*"))):
            file.unlink()
        for folder in new_folders:
            folder.rmdir()


def rebuild(folder: Path, site: Site) -> RunRecord:
    """Write the record of a run from its ledger, when its own process could not.

    Raises:
        InputError: there is no ledger, or a record that says more.
        MissingDataError: the ledger contains no sample.
    """
    from energy.footprint.apply import at_site
    from energy.ledger import accounting
    from energy.ledger import reader as ledger
    from energy.ledger.progress import Progress
    from energy.verbs.replacing import require_nothing_lost

    path = require_ledger(folder)
    with Progress([path]) as progress:
        reader = ledger.Reader(path, on_bytes=progress.advance)
        name = next((s.header.get("name", "run") for s in reader.segments()), "run")
    record = accounting.record(
        path, name=name, labels={}, notes=["rebuilt from the ledger"], reader=reader
    )
    record = at_site(record, site)
    require_nothing_lost(record, path.parent, "move it away first, to have one of the ledger alone")
    record.save(path.parent / "record.json", group=group_may_read(path))
    return record
