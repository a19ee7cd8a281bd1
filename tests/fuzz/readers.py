"""What reads each kind of file: a command as a user types it, or a function without one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from energy.errors import InputError
from tests.fuzz import (
    claimed_files,
    energy_files,
    glam_files,
    imported_logs,
    simulator_files,
)
from tests.fuzz.harness import command
from tests.fuzz.reader import Reader

RUN = ("--chip", "h100", "--chips", "1024", "--batch", "512", "--tokens", "1e11")
"""A run of a model, for `simulator predict --model`."""

COMPRESSED = ("gz", "xz", "bz2", "zst")


def by(package: str, verb: str, *words: str, form: str = "--json") -> Callable[[Path], Any]:
    """A command that reads a file: FILE and FOLDER in its words are the file and its folder."""

    def read(path: Path) -> None:
        places = {"FILE": path, "FOLDER": path.parent}
        command(package, verb, *(places.get(word, word) for word in words), *form.split())()

    return read


def _waveform(path: Path) -> Any:
    from energy.meters.replay import Replay

    source = Replay(path, start_s=0.0, now=lambda: 5.0)
    source.check()
    source.probe()
    return [{"unit": "J", "value": joules} for joules in source.read().values()]


def _sensors(path: Path) -> Any:
    from energy.meters.sensors import load

    boards, note = load(path)
    if note:
        raise InputError(note)
    return [vars(sensor) for sensor in boards.values()]


def _calibration(path: Path) -> Any:
    from energy.calibration.apply import Calibration

    loaded = Calibration.load(path)
    if loaded is None:
        return None
    return [{"unit": "J", "value": line.wall_j(100.0, 10.0)} for line in loaded.lines.values()]


def _seat(path: Path) -> Any:
    """A sampler that comes second attaches to what the first has announced, or reads by itself."""
    from energy.ledger.writer import Writer
    from energy.sampler.attached import Attached
    from energy.sampler.seat import Seat

    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        seat = Seat(energy_files.SEAT)
        Path("own").mkdir()
        role = Attached(
            seat, Writer(Path("own/ledger.jsonl"), lambda call, *words: call(*words)), 1.0
        )
        role.run_pending()
        role.settle()
        seat.leave()


def _power_limit(path: Path) -> Any:
    """A run that sets the limit of a board looks for what a killed one has left."""
    from energy.verbs import power_limit

    file = os.open(path, os.O_RDWR)
    try:
        known = power_limit.known(file)
        return {"unit": "W", "value": known.get("before", 0)}
    finally:
        os.close(file)


def _sent(path: Path) -> Any:
    """A supervisor looks in the ledger for the rows that a lost sampler has written."""
    from energy.tracking.sent import SentRows

    sent = SentRows(path, "a" * 32)
    sent.add(1, b"{}", 0)
    sent.written()


def _compared(package: str, path: Path) -> Any:
    energy_files.record(path.with_name("other"), Random(1))
    command(package, "compare", path, path.with_name("other") / "record.json", "--json")()


def _machine(path: Path) -> Any:
    scenario = '[model]\npreset = "glam-mini-16e"\n[run]\nsteps = 10\nbatch_tokens = 8192\n'
    file = path.with_name("here.toml")
    file.write_text(f'{scenario}[hardware]\nmachine = "{path.name}"\ncount = 1\n')
    command("simulator", "predict", file, "--json")()


def _peak(path: Path) -> Any:
    from glam.device import machine_peak

    return {"peak": machine_peak(path)}


def _constants(path: Path) -> Any:
    rows = simulator_files.throughput(path.parent, Random(1))
    command("simulator", "validate", "--throughput", rows, "--constants", path, "--json")()


def _expert_load(path: Path) -> Any:
    from simulator.scenarios.expert_load import read_load

    load = read_load(path)
    return vars(load) and None


def _cached(path: Path) -> Any:
    """Whatever became of a file of the cache, the corpus is the same."""
    folder = next(parent.parent for parent in path.parents if parent.name == "cache")
    corpus = glam_files.corpus(folder)
    counts = corpus.count("train"), corpus.count("validation")
    assert counts == _counts(), counts
    corpus.batch(0, 1, sequences=2, length=8)


@cache
def _counts() -> tuple[int, int]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        glam_files.json_lines(Path(name), Random(1))
        corpus = glam_files.corpus(Path(name))
        return corpus.count("train"), corpus.count("validation")


def _corpus(path: Path) -> Any:
    from glam.config import Corpus
    from glam.data.sources import list_sources, read_documents

    config = Corpus(paths=(str(path),))
    for _, document in read_documents(config, list_sources(config, path.parent)):
        document.text.encode()


def _prompts(path: Path) -> Any:
    from glam.generation.prompts import read_prompts

    return {"prompts": len(read_prompts(path))}


def _configuration(path: Path) -> Any:
    from glam.config import GlamConfig

    config = GlamConfig.of(str(path))
    assert config.tokens_per_step > 0
    return {"seed": config.training.seed}


def _checkpoint(path: Path) -> Any:
    from glam.checkpoints.checkpoint import best_checkpoint, latest_checkpoint
    from glam.model.decoder import Glam

    folder = next(parent for parent in path.parents if parent.name == "checkpoints")
    best_checkpoint(folder)
    loaded = latest_checkpoint(folder)
    if loaded is None:
        raise InputError("expected a checkpoint", "none")
    Glam.from_checkpoint(loaded)


def _metrics(path: Path) -> Any:
    """A training that goes on from step 3 keeps the lines up to it."""
    from glam.training.metrics import MetricsLog, last_loss

    setup: Any = SimpleNamespace(out=path.parent)
    loss = last_loss(path)
    MetricsLog(setup, 3).amend(3, validation_loss=2.5)
    return None if loss == float("inf") else {"loss": loss}


RESUME = by(
    *("glam", "train", "--model", "small.toml", "--out", "run", "--resume"),
    form="",
)
GENERATE = by("glam", "generate", "run", "--tokens", "2", "--device", "cpu", form="")

ENERGY = (
    Reader("ledger", "jsonl", energy_files.ledger, by("energy", "record", "FOLDER"), 6),
    Reader("ledger v1", "jsonl", energy_files.old_ledger, by("energy", "record", "FOLDER"), 3),
    Reader("ledger, verified", "jsonl", energy_files.ledger, by("energy", "verify", "FOLDER"), 2),
    Reader(
        *("ledger, merged", "jsonl", energy_files.ledger),
        by("energy", "merge", "FOLDER", "--out", "all"),
        2,
    ),
    Reader("ledger, listed", "jsonl", energy_files.ledger, by("energy", "list", "."), 2),
    Reader("ledger, looked up", "jsonl", energy_files.ledger, _sent),
    Reader("record", "json", energy_files.record, by("energy", "report", "FILE"), 4),
    Reader("record, listed", "json", energy_files.record, by("energy", "list", "."), 3),
    Reader("record, in energy", "json", energy_files.record, partial(_compared, "energy"), 2),
    Reader("record, in simulator", "json", energy_files.record, partial(_compared, "simulator"), 2),
    Reader(
        *("record, moved", "json", energy_files.record),
        by("simulator", "regions", "FRA", "--of", "FILE"),
        2,
    ),
    Reader(
        *("record, validated", "json", energy_files.predicted_record),
        by("simulator", "validate", "--records", "FOLDER"),
    ),
    Reader(
        *("metrics", "jsonl", energy_files.metrics),
        by("energy", "report", "FOLDER", form="--html page.html"),
    ),
    Reader("wall meter", "csv", energy_files.wall_table, by("energy", "calibrate", "FILE"), 3),
    Reader(
        "wall meter, own runs",
        *("csv", energy_files.own_wall_table, by("energy", "calibrate", "FILE")),
    ),
    Reader("calibration", "json", energy_files.calibration, _calibration, 3),
    Reader("sensors", "json", energy_files.sensors, _sensors, 2),
    Reader("waveform", "csv", energy_files.waveform, _waveform, 3),
    Reader("seat", "json", energy_files.seat, _seat, elsewhere=False),
    Reader("power limit", "json", energy_files.power_limit, _power_limit, elsewhere=False),
)

SIMULATOR = (
    Reader(
        *("probe", "json", simulator_files.probe),
        by("simulator", "calibrate", "FILE", "--out", "out.toml"),
        3,
    ),
    Reader("machine", "toml", simulator_files.machine, _machine, 3),
    Reader("machine, its peak", "toml", simulator_files.machine, _peak),
    Reader("scenario", "toml", simulator_files.scenario, by("simulator", "predict", "FILE"), 5),
    Reader("constants", "json", simulator_files.constants, _constants, 2),
    Reader(
        *("throughput", "csv", simulator_files.throughput),
        by("simulator", "validate", "--throughput", "FILE"),
        2,
    ),
    Reader(
        *("throughput, fitted", "csv", simulator_files.throughput),
        by("simulator", "calibrate", "FILE", "--out", "out.json"),
    ),
    Reader(
        *("whole runs", "csv", simulator_files.whole_runs),
        by("simulator", "validate", "--runs", "FILE"),
        2,
    ),
    Reader(
        *("grid series", "csv", simulator_files.series),
        by("simulator", "when", "FILE", "--days", "1", "--mw", "2"),
        3,
    ),
    Reader(
        *("chip", "toml", simulator_files.chip),
        by("simulator", "predict", "glam-mini-16e", "--chip", "FILE"),
        2,
    ),
    Reader(
        *("price book", "toml", simulator_files.price_book),
        by("simulator", "prices", "FILE"),
        2,
    ),
    Reader("model", "json", simulator_files.model, by("simulator", "models", "FILE"), 4),
    Reader(
        *("model, predicted", "json", simulator_files.model),
        by("simulator", "predict", "--model", "FILE", *RUN),
        2,
    ),
    Reader("expert load", "jsonl", energy_files.metrics, _expert_load, 2),
)

GLAM = (
    Reader("corpus, JSON lines", "jsonl", glam_files.json_lines, _corpus, 3),
    *(
        Reader(
            *(f"corpus, {ending}", "bytes"),
            partial(glam_files.json_lines, name=f"text.jsonl.{ending}"),
            _corpus,
        )
        for ending in COMPRESSED
    ),
    Reader("corpus, array", "json", glam_files.json_array, _corpus, 2),
    Reader("corpus, Parquet", "bytes", glam_files.parquet, _corpus),
    Reader("corpus, text", "bytes", glam_files.plain_text, _corpus),
    Reader("prompts", "jsonl", glam_files.prompts, _prompts),
    Reader("configuration", "toml", glam_files.configuration, _configuration, 4),
    *(
        Reader(f"checkpoint, {file}", kind, partial(glam_files.checkpoint, file=file), _checkpoint)
        for file, kind in (
            ("checkpoint.json", "json"),
            (".metadata", "bytes"),
            ("__0_0.distcp", "bytes"),
        )
    ),
    Reader("checkpoint, former", "bytes", glam_files.former_checkpoint, _checkpoint),
    Reader("answers", "jsonl", glam_files.answers, by("glam", "compare", "FOLDER", "FOLDER")),
    *(
        Reader(name, kind, partial(glam_files.cached_corpus, pattern=pattern), _cached, weight)
        for name, kind, pattern, weight in (
            ("manifest", "json", "manifest.json", 2),
            ("survey", "json", "survey-*.json", 2),
            ("shard, described", "json", "shard-*.json", 1),
            ("shard", "bytes", "shard-*.u16", 1),
            ("tokenizer, cached", "bytes", "tokenizer-*.model", 1),
        )
    ),
    *(
        Reader(name, kind, partial(glam_files.trained, file=file), read)
        for name, kind, file, read in (
            ("tokenizer", "bytes", "tokenizer.model", GENERATE),
            ("metrics, resumed", "jsonl", "metrics.jsonl", _metrics),
            ("record, resumed", "json", "record.json", RESUME),
            ("ledger, resumed", "jsonl", "ledger.jsonl", RESUME),
        )
    ),
)

READERS = (*ENERGY, *claimed_files.READERS, *imported_logs.READERS, *SIMULATOR, *GLAM)
