"""Predict eight small models on this machine, train them, and print predicted against measured.

None of the eight is used in calibration: the probe times single operations, and the constants
come from those. Each prediction is on disk before its training starts.

    python -m benchmarks.simulator.local [--out runs/validate-local] [--machine FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from energy.console import guard, print_json
from energy.errors import AccountingError, ToleranceError
from energy.files import write_text_atomic
from energy.quantity import Origin, Quantity
from energy.reports.words import band, console, human, table
from simulator.questions.validate.records import Row
from simulator.runs.predict import predict
from simulator.scenarios import scenario

FAMILY = {
    "d_head": 64,
    "ffn_matrices": 3,
    "expert_matrices": 2,
    "vocab_size": 4096,
    "norm_vectors": 1,
    "relative_buckets": 32,
    "tied_embedding": 1,
}
TOLERANCE = 0.20
SECONDS_A_MODEL = 12.0


@dataclass(frozen=True)
class Model:
    """One of the eight: sizes that the two demo models do not have.

    Attributes:
        name: of the run.
        width: d_model; the feed-forward width is four times it.
        layers: of which every other one is a mixture where there are experts.
        experts: 1 is dense.
        top_k: experts that a token passes through.
        seq_len: tokens in a sequence.
        batch: sequences in a step.
    """

    name: str
    width: int
    layers: int
    experts: int
    top_k: int
    seq_len: int
    batch: int

    def shape(self) -> dict[str, Any]:
        """The fields of its `Shape`."""
        heads = max(1, self.width // 64)
        mixture = self.layers // 2 if self.experts > 1 else 0
        return FAMILY | {
            "n_layers": self.layers,
            "d_model": self.width,
            "n_heads": heads,
            "n_kv_heads": heads,
            "d_ff": 4 * self.width,
            "seq_len": self.seq_len,
            "n_moe_layers": mixture,
            "n_experts": self.experts,
            "top_k": self.top_k,
            "d_expert": 4 * self.width if mixture else 0,
        }


MODELS = (
    Model("dense-128x8", 128, 8, 1, 1, 256, 8),
    Model("dense-256x12", 256, 12, 1, 1, 128, 8),
    Model("dense-384x6", 384, 6, 1, 1, 256, 4),
    Model("dense-512x4", 512, 4, 1, 1, 128, 8),
    Model("moe-128x12-32e", 128, 12, 32, 2, 128, 8),
    Model("moe-256x4-16e", 256, 4, 16, 2, 256, 8),
    Model("moe-384x8-8e", 384, 8, 8, 2, 128, 8),
    Model("moe-512x4-4e", 512, 4, 4, 1, 256, 4),
)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/validate-local"))
    parser.add_argument(
        "--machine", type=Path, help="made by simulator calibrate; made when left out"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    guard(lambda: validate(arguments.out, arguments.machine, arguments.json))


def validate(out: Path, machine: Path | None, as_json: bool) -> None:
    """Predict, train and compare the eight.

    Raises:
        ToleranceError: the median error is above 20 %.
    """
    machine = machine or calibrate(out)
    found = [
        (model, row(model, out / model.name, machine))
        for model in track(
            MODELS, "models", console=Console(stderr=True), disable=not sys.stderr.isatty()
        )
    ]
    median = statistics.median(abs(one.error or 0.0) for _, one in found)
    covered = sum(one.in_band or False for _, one in found) / len(found)
    if as_json:
        print_json(
            {
                "median_abs_rel_error": median,
                "band_coverage": covered,
                "rows": [one.as_json() for _, one in found],
            }
        )
    else:
        show(found)
        console().print(f"median error {median:.1%}; {covered:.0%} in the predicted 80 % band")
    if median > TOLERANCE:
        raise ToleranceError(f"expected a median error within {TOLERANCE:.0%}", f"{median:.1%}")


def calibrate(out: Path, *meters: str) -> Path:
    """Probe this machine and fit its constants; all its meters are read where none is named."""
    command(
        "glam",
        "probe",
        "--out",
        str(out / "probe.json"),
        *(word for name in meters for word in ("--meter", name)),
    )
    command("simulator", "calibrate", str(out / "probe.json"), "--out", str(out / "machine.toml"))
    return out / "machine.toml"


def row(model: Model, out: Path, machine: Path) -> Row:
    """Predict a model, then train it; step time of both."""
    told = predict(question(model, machine, steps=1)).record.metrics["step_time_s"]
    steps = round(min(200.0, max(10.0, SECONDS_A_MODEL / told.numbers()[0])))
    predicted = predict(question(model, machine, steps)).record
    predicted.save(out / "predicted" / "record.json")
    write_text_atomic(out / "run.toml", configuration(model, steps))
    command("glam", "train", "--model", str(out / "run.toml"), "--out", str(out / "run"))
    return Row(model.name, predicted.metrics["step_time_s"], measured(model, out / "run"))


def question(model: Model, machine: Path, steps: int) -> scenario.Scenario:
    """The scenario of a model on this machine."""
    table = {
        "name": model.name,
        "model": {"shape": model.shape()},
        "run": {"steps": steps, "batch_sequences": model.batch},
        "hardware": {"machine": str(machine)},
    }
    return scenario.check(table, model.name)


def configuration(model: Model, steps: int) -> str:
    """The trainer's configuration of a model, as TOML."""
    training = {"steps": steps, "batch_sequences": model.batch, "log_every": 1}
    lines = [f'name = "{model.name}"', "[shape]"]
    lines += [f"{key} = {value}" for key, value in model.shape().items()]
    lines += ["[training]", *(f"{key} = {value}" for key, value in training.items())]
    return "\n".join(lines) + "\n"


def measured(model: Model, run: Path) -> Quantity:
    """Median seconds of a step, from the trainer's own lines; the band is their middle half."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    tokens = model.batch * model.seq_len
    seconds = [tokens / line["tokens_per_s"] for line in lines if line.get("tokens_per_s")]
    low, middle, high = statistics.quantiles(seconds, n=4)
    return Quantity(
        value=middle,
        low=low,
        high=high,
        unit="s",
        origin=Origin.MEASURED,
        source=f"{run}/metrics.jsonl, {len(seconds)} steps",
        coverage=0.5,
    )


def show(found: list[tuple[Model, Row]]) -> None:
    """Print the table."""
    page = table(
        "model", "width", "layers", "experts", "predicted", "band", "measured", "error", "in band"
    )
    for model, one in found:
        page.add_row(
            model.name,
            str(model.width),
            str(model.layers),
            str(model.experts),
            human(one.predicted),
            band(one.predicted),
            human(one.measured),
            f"{one.error:+.1%}",
            "yes" if one.in_band else "no",
        )
    console().print(page)


def command(*words: str) -> None:
    """Run one of the project's commands, quietly.

    Raises:
        AccountingError: it failed, with its own last line.
    """
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise AccountingError(f"expected {' '.join(words)} to succeed", last)


if __name__ == "__main__":
    main()
