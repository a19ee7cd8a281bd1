"""Predict eight small models on this machine, train them, and compare predicted with measured.

None of the eight is used for calibration: the probe times single operations, and the constants
come from those. Each prediction is on disk before its training starts. Exit code 5 if the median
error of the step time exceeds 20 %.

    python -m benchmarks.simulator.local [--out runs/validate-local] [--machine FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.pages import print_table
from benchmarks.process import run_process
from energy.console import print_json
from energy.errors import ToleranceError
from energy.files import write_text_atomic
from energy.guard import guard
from energy.quantity import Origin, Quantity
from energy.reports.terminal import console
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
HEADS = (
    "model",
    "width",
    "layers",
    "experts",
    "predicted",
    "band",
    "measured",
    "error",
    "in band",
)
TOLERANCE = 0.20
SECONDS_PER_MODEL = 12.0
"""Length of each training, as predicted."""


@dataclass(frozen=True)
class Model:
    """One of the eight models, of sizes that the two demo models do not have.

    Attributes:
        name: name of the run.
        width: d_model; the feed-forward width is four times as large.
        layers: number of layers; with experts, every other one is an MoE layer.
        experts: experts of each MoE layer; 1 for a dense model.
        top_k: experts per token.
        seq_len: tokens per sequence.
        batch: sequences per step.
    """

    name: str
    width: int
    layers: int
    experts: int
    top_k: int
    seq_len: int
    batch: int

    def shape(self) -> dict[str, Any]:
        """The fields of its `Shape`, by name."""
        heads = max(1, self.width // 64)
        moe_layers = self.layers // 2 if self.experts > 1 else 0
        return FAMILY | {
            "n_layers": self.layers,
            "d_model": self.width,
            "n_heads": heads,
            "n_kv_heads": heads,
            "d_ff": 4 * self.width,
            "seq_len": self.seq_len,
            "n_moe_layers": moe_layers,
            "n_experts": self.experts,
            "top_k": self.top_k,
            "d_expert": 4 * self.width if moe_layers else 0,
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
    parser.add_argument(
        "--out", type=Path, default=Path("runs/validate-local"), help="folder for the runs"
    )
    parser.add_argument(
        "--machine", type=Path, help="file from simulator calibrate; calibrated if left out"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: validate(options.out, options.machine, as_json=options.json))


def validate(out: Path, machine: Path | None, *, as_json: bool) -> None:
    """Predict, train and compare the eight models.

    Args:
        out: folder for the runs.
        machine: calibrated constants of this machine; None calibrates first.
        as_json: print JSON in place of the table.

    Raises:
        ToleranceError: the median error is above 20 %.
    """
    machine = machine or calibrate(out)
    progress = Console(stderr=True)
    rows = [
        predict_and_train(model, out / model.name, machine)
        for model in track(MODELS, "models", console=progress, disable=not sys.stderr.isatty())
    ]
    median = statistics.median(abs(row.error or 0.0) for row in rows)
    coverage = sum(row.in_band or False for row in rows) / len(rows)
    if as_json:
        print_json(
            {
                "median_abs_rel_error": median,
                "band_coverage": coverage,
                "rows": [row.as_json() for row in rows],
            }
        )
    else:
        pairs = zip(MODELS, rows, strict=True)
        print_table(HEADS, [cells(model, row) for model, row in pairs])
        console().print(f"median error {median:.1%}; {coverage:.0%} in the predicted 80 % band")
    if median > TOLERANCE:
        raise ToleranceError(f"expected a median error within {TOLERANCE:.0%}", f"{median:.1%}")


def calibrate(out: Path, *meters: str) -> Path:
    """Probe this machine and fit its constants; return the machine file.

    Args:
        out: folder for the probe and the machine file.
        meters: names of the meters to read during the probe; all of them if left out.
    """
    options = [word for name in meters for word in ("--meter", name)]
    probe, machine = out / "probe.json", out / "machine.toml"
    run_process(["glam", "probe", "--out", str(probe), *options])
    run_process(["simulator", "calibrate", str(probe), "--out", str(machine)])
    return machine


def predict_and_train(model: Model, out: Path, machine: Path) -> Row:
    """Predict a model, then train it; return the step times of both."""
    step_time = predict(scenario_of(model, machine, steps=1)).record.metrics["step_time_s"]
    steps = round(min(200.0, max(10.0, SECONDS_PER_MODEL / step_time.numbers()[0])))
    predicted = predict(scenario_of(model, machine, steps)).record
    predicted.save(out / "predicted" / "record.json")
    write_text_atomic(out / "run.toml", configuration(model, steps))
    run_process(["glam", "train", "--model", str(out / "run.toml"), "--out", str(out / "run")])
    return Row(model.name, predicted.metrics["step_time_s"], measured_step(model, out / "run"))


def scenario_of(model: Model, machine: Path, steps: int) -> scenario.Scenario:
    """The scenario of training a model on this machine."""
    table = {
        "name": model.name,
        "model": {"shape": model.shape()},
        "run": {"steps": steps, "batch_sequences": model.batch},
        "hardware": {"machine": str(machine)},
    }
    return scenario.check(table, model.name)


def configuration(model: Model, steps: int) -> str:
    """The trainer's configuration for a model, as TOML."""
    training = {"steps": steps, "batch_sequences": model.batch, "log_every": 1}
    lines = [f'name = "{model.name}"', "[shape]"]
    lines += [f"{key} = {value}" for key, value in model.shape().items()]
    lines += ["[training]", *(f"{key} = {value}" for key, value in training.items())]
    return "\n".join(lines) + "\n"


def measured_step(model: Model, run: Path) -> Quantity:
    """Median time of a step from the trainer's metrics; the band is the interquartile range."""
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


def cells(model: Model, row: Row) -> tuple[str, ...]:
    """The row of the table."""
    return (
        model.name,
        str(model.width),
        str(model.layers),
        str(model.experts),
        row.predicted.human(),
        row.predicted.band(),
        row.measured.human(),
        f"{row.error:+.1%}",
        "yes" if row.in_band else "no",
    )


if __name__ == "__main__":
    main()
