"""Valid files of `energy`, drawn with a seed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from random import Random

from energy.ledger import accounting
from energy.ledger.lines import FILE, Row
from energy.record import Kind
from energy.sampler.seat import runtime_folder
from tests.support.ledgers import domain, end, header, ns, old_domain, sample, window
from tests.support.records import run_record
from tests.support.standin import write_ledger

SEAT = "a choice of meters"
"""What the process on the seat reads."""


def _samples(random: Random, version: int) -> Iterable[Row]:
    """A run of some seconds with counters and powers, whose windows follow each other."""
    method = random.choice(("counter", "power"))
    make = domain if version == 2 else old_domain
    boards = [make(f"gpu-{number}", method) for number in range(random.choice((1, 2)))]
    seconds, watts = random.randrange(3, 30), random.uniform(30.0, 600.0)
    yield header(boards, v=version, m=ns(0), interval_s=1.0)
    powered = version == 2 and method == "power"
    for second in range(seconds + 1):
        if powered:
            polls = [
                [round(1e6 * tenth / 10), *[watts] * len(boards)] for tenth in range(9, -1, -1)
            ]
            nothing = [None] * len(boards)
            yield {"k": "s", "m": ns(second), "j": nothing, "a": nothing, "p": {"nvml": polls}}
        else:
            yield sample(second, *[watts * second] * len(boards))
        if second and random.random() < 0.5:
            yield window("step", second - 1, second - 0.25)
        if random.random() < 0.1:
            yield {"k": "mark", "m": ns(second), "kind": "evaluation", "fields": {"loss": 2.5}}
        if random.random() < 0.1:
            yield {"k": "clock", "m": ns(second), "utc": 1.7e9 + second}
    if random.random() < 0.8:
        yield end(seconds)


def ledger(folder: Path, random: Random, version: int = 2) -> Path:
    """A ledger in the folder of a run."""
    (folder / "run").mkdir()
    write_ledger(folder / "run" / FILE, _samples(random, version))
    return folder / "run" / FILE


def old_ledger(folder: Path, random: Random) -> Path:
    """A ledger of version 1."""
    return ledger(folder, random, version=1)


def record(folder: Path, random: Random, kind: Kind = Kind.MEASURED) -> Path:
    """The record of a run."""
    run = run_record(
        kind=kind,
        tokens=random.uniform(1, 1e12),
        flop=random.uniform(1, 1e24),
        elapsed_s=random.uniform(0.1, 1e7),
        chips=random.randrange(1, 5000),
        it_j=random.uniform(0.1, 1e13),
        pue=random.uniform(1, 2),
        steps=random.randrange(1, 10**6),
        relative=random.choice((0.0, 0.1)),
        created_utc="2026-01-01T00:00:00Z",
        team=random.choice(("a", "b")),
    )
    folder.mkdir(exist_ok=True)
    run.save(folder / "record.json")
    return folder / "record.json"


def predicted_record(folder: Path, random: Random) -> Path:
    """The record of a run, within a folder that has its prediction, too."""
    record(folder / "predicted", random, Kind.PREDICTED)
    return record(folder, random)


def metrics(folder: Path, random: Random) -> Path:
    """The metrics of a run beside its record."""
    record(folder, random)
    rows = [
        {
            "step": step,
            "loss": random.uniform(1, 9),
            "seconds": random.uniform(0.1, 2),
            "tokens": 1000 * step,
            "energy_j": 50.0 * step,
            "expert_load": [[random.random() + 0.01 for _ in range(4)] for _ in range(2)],
        }
        for step in range(1, random.randrange(3, 30))
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "metrics.jsonl"


def wall_table(folder: Path, random: Random) -> Path:
    """Runs with the joules of another tool and of a wall meter."""
    lines = ["device,model,duration_s,codecarbon_j,wall_j"]
    for device in random.sample(("gpu", "cpu"), random.choice((1, 2))):
        for number in range(random.randrange(10, 40)):
            seconds, watts = random.uniform(60, 300), random.uniform(50, 450)
            wall_j = (1.1 * watts + 40) * seconds
            lines.append(f"{device},model-{number % 4},{seconds},{watts * seconds},{wall_j}")
    (folder / "wall.csv").write_text("\n".join(lines) + "\n")
    return folder / "wall.csv"


def own_wall_table(folder: Path, random: Random) -> Path:
    """Our own runs with the joules of a wall meter."""
    lines = ["record,wall_j"]
    for number in range(6):
        run = folder / f"run-{number}"
        run.mkdir()
        write_ledger(run / FILE, _samples(Random(number), 2))
        accounting.record(run / FILE, name=run.name, labels={}, notes=[]).save(run)
        lines.append(f"run-{number},{random.uniform(1e3, 1e5)}")
    (folder / "wall.csv").write_text("\n".join(lines) + "\n")
    return folder / "wall.csv"


def calibration(folder: Path, random: Random) -> Path:
    """The calibration that `energy calibrate --save` keeps for this user."""
    from energy.calibration.apply import Calibration, Line

    line = Line(random.uniform(1, 1.5), random.uniform(0, 60), 0.1, 20, "energy", ("test",))
    path = folder / "glam-energy" / "calibration.json"
    Calibration({"test": line}, "wall.csv", "node").save(path)
    return path


def sensors(folder: Path, random: Random) -> Path:
    """The sensors that were measured on this machine."""
    sensor = {
        "counter_s": random.uniform(0, 1),
        "power_s": 0.1,
        "lag_s": 0.1,
        "counter_over_power": 1.0,
    }
    from dataclasses import fields

    from energy.meters.sensors import Sensor

    board = {f.name: "text" if f.type == "str" else sensor.get(f.name, 0.1) for f in fields(Sensor)}
    (folder / "sensors.json").write_text(json.dumps({"H100": board}))
    return folder / "sensors.json"


def waveform(folder: Path, random: Random) -> Path:
    """A waveform to replay, drawn or logged by nvidia-smi."""
    if random.random() < 0.5:
        lines = ["t_s,device,watts"]
        lines += [f"{second},gpu-{second % 2},{random.uniform(50, 700)}" for second in range(20)]
    else:
        lines = ["timestamp, index, name, power.draw [W]"]
        lines += [
            f"2025/01/01 00:00:{second:02}.000, {second % 2}, NVIDIA H100, {50 + second}.00 W"
            for second in range(20)
        ]
    (folder / "wave.csv").write_text("\n".join(lines) + "\n")
    return folder / "wave.csv"


def seat(folder: Path, random: Random) -> Path:
    """What the process that reads the meters announces to those that come later."""
    from energy.sampler.seat import Seat

    run = ledger(folder, random)
    holder = Seat(SEAT)
    holder.take()
    holder.announce("a" * 32, run, random.randrange(2**62))
    (path,) = (path for path in runtime_folder().iterdir() if path.is_file())
    holder.leave()
    return path


def power_limit(folder: Path, random: Random) -> Path:
    """What a run leaves in the lock of a board whose power limit it has set."""
    facts = {"before": random.randrange(10**5, 7 * 10**5), "set": random.randrange(10**5)}
    (folder / "power-limit").write_text(json.dumps(facts))
    return folder / "power-limit"
