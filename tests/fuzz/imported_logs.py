"""Logs of other tools, drawn from the samples with a seed, and the importers that read them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.energy.importers.samples import DATA, SAMPLES, Sample
from tests.fuzz.harness import command
from tests.fuzz.reader import Reader

KINDS = {"prometheus": "json", "mlperf": "bytes", "megatron": "bytes", "carbontracker": "bytes"}
"""What can be changed in logs that are no tables."""

DCGM = Sample("dcgm", "dcgm.txt", 0.0, "chip", ("--interval", "5"))


def log(folder: Path, random: Random, sample: Sample) -> Path:
    """A sample, a line of which may stand there twice; not where boards are printed in turn."""
    path = folder / sample.file
    text = (DATA / sample.file).read_text()
    if sample.kind == "prometheus":
        path.write_text(json.dumps(json.loads(text)))
        return path
    first, *lines = text.splitlines(keepends=True)
    if sample.kind == "dcgm":
        joules = random.randrange(1000, 10**6)
        lines += [line.replace(" 48287135", f" {48287135 + joules}") for line in (first, *lines)]
    in_turn = "--chips" in sample.options and sample.kind == "nvidia-smi"
    in_turn = in_turn or sample.kind == "mlperf"  # whose second stop ends a measurement early
    if not in_turn and random.random() < 0.3 and len(lines) > 3:
        lines.insert(0, lines[random.randrange(len(lines))])
    path.write_text("".join([first, *lines]))
    return path


def _import(sample: Sample, path: Path) -> Any:
    words = ("import", path, "--from", sample.kind, "--out", path.parent / "out", *sample.options)
    command("energy", *words, "--json")()


def _kind_of(path: Path) -> Any:
    command("energy", "import", path, "--out", path.parent / "out", "--chips", "8", "--json")()


READERS = (
    *(
        Reader(
            f"log, {sample.kind}" + ("" if "one" not in sample.file else ", one board"),
            KINDS.get(sample.kind, "csv" if sample.file.endswith("csv") else "bytes"),
            partial(log, sample=sample),
            partial(_import, sample),
            elsewhere=sample.kind != "perun",
        )
        for sample in (*SAMPLES, DCGM)
    ),
    Reader("log, guessed", "bytes", partial(log, sample=SAMPLES[4]), _kind_of),
)
