"""Valid files of `simulator`, drawn with a seed."""

from __future__ import annotations

import csv
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

OPERATIONS: tuple[dict[str, Any], ...] = (
    *({"op": "matmul", "m": m, "n": n, "k": 256} for m in (16, 256) for n in (64, 1024)),
    *({"op": "grouped_matmul", "groups": g, "m": 64, "n": 512, "k": 256} for g in (4, 32)),
    {"op": "attention", "batch": 8, "heads": 8, "seq": 256, "d_head": 64, "fused": False},
    *({"op": "elementwise", "bytes": 2**power} for power in (20, 26)),
    {"op": "optimizer", "kind": "adamw", "parameters": 2**22, "tensors": 4},
    {"op": "optimizer", "kind": "adafactor", "parameters": 2**22, "tensors": 4},
    {"op": "cross_entropy", "tokens": 1024, "vocab": 8192, "d_model": 128},
    {"op": "launch"},
    *({"op": "read_weights", "m": m, "bytes": 2**size} for m in (1, 16) for size in (20, 24)),
    *(
        {"op": "answer_layers", "layers": layers, "mixtures": mixtures, "batch": batch}
        for layers, mixtures in ((2, 0), (6, 0), (6, 6))
        for batch in (1, 16)
    ),
    *(
        {"op": "together", "work": work, "processes": count}
        for work in ("product", "stream")
        for count in (1, 2)
    ),
    *({"op": "message", "kind": "all-reduce", "processes": 2, "bytes": 2**p} for p in (12, 20)),
)


def probe(folder: Path, random: Random) -> Path:
    """The file of `glam probe`."""
    watts = {
        name: {"value": value, "unit": "W", "origin": "measured", "source": "meter"}
        for name, value in (("idle_w", random.uniform(5, 40)), ("busy_w", random.uniform(60, 300)))
    }
    table = {
        "schema": "probe-1",
        "dtype": random.choice(("float32", "bfloat16")),
        "power": watts,
        "machine": {"name": "made up", "memory_bytes": 2**34},
        "rows": [{**row, "seconds": random.uniform(1e-5, 1e-2)} for row in OPERATIONS],
    }
    (folder / "probe.json").write_text(json.dumps(table))
    return folder / "probe.json"


def machine(folder: Path, random: Random) -> Path:
    """A machine as `simulator calibrate` writes it."""
    from simulator.fit.answer_times import AnswerTimes
    from simulator.fit.machine import Machine, save_machine
    from simulator.physics.constants import Constants
    from simulator.physics.hardware import Hardware

    hardware = Hardware(
        name="made up",
        precision="fp32",
        peak_flop_per_s=random.uniform(1e10, 1e13),
        memory_bytes=2**36,
        memory_bytes_per_s=random.uniform(1e10, 1e12),
        idle_w=20.0,
        busy_w=random.uniform(60, 200),
        limit_w=200.0,
        power_relative=(-0.1, 0.1),
        power_source="meter",
    )
    constants = Constants(eff_max=random.uniform(0.5, 0.9), m_half=random.uniform(5, 50))
    weights = [
        (m, size, size * m * random.uniform(1e-11, 1e-9)) for m in (1, 16) for size in (1e6, 1e8)
    ]
    layers = [(n, x, b, 1e-4 * (n + x + b)) for n, x in ((2, 0), (6, 0), (6, 6)) for b in (1, 16)]
    times = AnswerTimes.of(weights, layers)
    save_machine(Machine(hardware, constants, {"rows": 13}, times), folder / "machine.toml")
    return folder / "machine.toml"


def scenario(folder: Path, random: Random) -> Path:
    """A scenario file."""
    from simulator.scenarios.scenario import preset_text, presets, starting_text

    text = random.choice(
        (starting_text(), *(preset_text(name) for name in presets() if "mini" not in name))
    )
    (folder / "run.toml").write_text(text)
    return folder / "run.toml"


def constants(folder: Path, random: Random) -> Path:
    """Constants fitted to throughput."""
    table = json.loads((files("simulator.published") / "constants.json").read_text())
    table["world"] = {
        name: value * random.uniform(0.95, 1.05) for name, value in table["world"].items()
    }
    (folder / "constants.json").write_text(json.dumps(table))
    return folder / "constants.json"


@cache
def _published(name: str) -> tuple[list[str], list[dict[str, str]]]:
    with (files("simulator.published") / name).open(encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return list(reader.fieldnames or []), rows


def _some_rows(folder: Path, random: Random, name: str, few: int) -> Path:
    columns, rows = _published(name)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(random.sample(rows, few))
    return folder / "rows.csv"


def throughput(folder: Path, random: Random) -> Path:
    """A table of throughput."""
    return _some_rows(folder, random, "throughput.csv", 3)


def whole_runs(folder: Path, random: Random) -> Path:
    """A table of whole runs."""
    return _some_rows(folder, random, "runs.csv", 12)


def series(folder: Path, random: Random) -> Path:
    """A series of grid intensity."""
    column = random.choice(("g_per_kwh", "kgco2e_per_kwh"))
    scale = 1.0 if column == "g_per_kwh" else 1e-3
    if random.random() < 0.3:
        times = [f"2025-{month:02}-01T00:00Z" for month in range(1, 13)]
    else:
        times = [f"2025-01-{1 + hour // 24:02}T{hour % 24:02}:00Z" for hour in range(96)]
    rows = [f"{time},{scale * random.uniform(50, 600)}" for time in times]
    (folder / "grid.csv").write_text("\n".join([f"time,{column}", *rows]) + "\n")
    return folder / "grid.csv"


def chip(folder: Path, random: Random) -> Path:
    """A chip of one's own."""
    from energy.facts.own_chip import TEMPLATE

    (folder / "chip.toml").write_text(TEMPLATE.replace("700", str(random.randrange(100, 2000))))
    return folder / "chip.toml"


def price_book(folder: Path, random: Random) -> Path:
    """A book of prices of one's own."""
    from energy.facts.price_book import TEMPLATE

    (folder / "book.toml").write_text(TEMPLATE.replace("45000", str(random.randrange(1, 90_000))))
    return folder / "book.toml"


def model(folder: Path, random: Random) -> Path:
    """The config.json of a model, as hubs have it."""
    shipped = files("energy.facts.data.configurations")
    names = sorted(file.name for file in shipped.iterdir() if file.name.endswith(".json"))
    values = json.loads((shipped / random.choice(names)).read_text())
    (folder / "config.json").write_text(json.dumps(values, indent=2))
    return folder / "config.json"
