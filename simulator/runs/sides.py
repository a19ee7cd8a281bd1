"""From what a caller names to runs that can be compared.

A run is a scenario, or a record that was measured or predicted before. Published inputs are never
compared with predictions: when one scenario has no [published] section, all of them are predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from energy.errors import InputError, require_choice
from energy.flops import model_flop
from energy.inputs import read_json
from energy.quantity import Boundary, Quantity
from energy.record import RunRecord
from energy.shape import Shape, total
from simulator.runs import reported
from simulator.runs.terms import carbon
from simulator.scenarios.request import Target, is_model, scenario_of
from simulator.scenarios.scenario import Scenario, preset_of
from simulator.terms import Term

if TYPE_CHECKING:  # the physics, which published and recorded runs do without
    from simulator.runs.predict import Prediction

RunTarget: TypeAlias = "Target | RunRecord | Prediction"
"""What a caller names: a `Target`, a record, or a prediction, which stands for its scenario."""

Run = Scenario | RunRecord

Basis = Literal["published", "predicted", "recorded"]


Accounting = Literal["location", "market"]
"""Gross: the average of the grid (location). Net: after clean purchases (market)."""


METHOD = {"location": "gross", "market": "net"}


@dataclass(frozen=True)
class Side:
    """One run of a comparison.

    Attributes:
        record: the run, with its totals at the facility and its CO2.
        accounting: which of its two CO2 figures is compared.
        trees: how its work and its CO2 came about; none for a record that was read.
    """

    record: RunRecord
    accounting: Accounting = "location"
    trees: tuple[Term, ...] = ()

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.record.name

    @property
    def co2_g(self) -> Quantity:
        """Grams of CO2e by the accounting of this side."""
        record = self.record
        return record.co2_location_g if self.accounting == "location" else record.co2_market_g

    @property
    def facility_j(self) -> Quantity:
        """Joules at the facility's boundary."""
        return self.record.joules_at(Boundary.FACILITY)

    @property
    def chips(self) -> float | None:
        """Devices that the run used: its chip-seconds over its elapsed seconds."""
        chip_s, elapsed_s = self.record.chip_s.value, self.record.elapsed_s.value
        return chip_s / elapsed_s if chip_s is not None and elapsed_s else None


def read(targets: Sequence[RunTarget], overrides: Mapping[str, Any] | None = None) -> list[Run]:
    """The scenario or record that each target stands for.

    Args:
        targets: each a scenario, a prediction, which stands for its scenario, or a record, the name
            of a preset, or the path of a scenario file, of a record, or of the folder of a record.
        overrides: values of the scenarios by dotted key.
    """
    return [_read(target, overrides) for target in targets]


def choose_basis(runs: Sequence[Run], basis: str) -> Basis:
    """What runs are compared by: their records, what was published of them, or predictions.

    Raises:
        InputError: records and scenarios are mixed, or the basis is not one of the three.
    """
    records = sum(isinstance(run, RunRecord) for run in runs)
    if records == len(runs):
        return "recorded"
    if records:
        raise InputError(
            "expected scenarios or records",
            "both",
            "write records of the scenarios with simulator predict --out",
        )
    if basis == "auto":
        published = all(isinstance(run, Scenario) and run.published for run in runs)
        return "published" if published else "predicted"
    require_choice("--basis", basis, ("auto", "published", "predicted"))
    return "published" if basis == "published" else "predicted"


def sides(runs: Sequence[Run], basis: Basis, accounting: str | None) -> list[Side]:
    """The runs to compare, each with the accounting of its CO2e; its own where none is named."""
    return aligned([side_of(run, basis, accounting) for run in runs])


def aligned(sides: Sequence[Side]) -> list[Side]:
    """Sides whose model FLOP are counted in one convention: in full where they differ.

    A prediction counts as its kernels do, causal or in full; FLOP of two conventions are not
    divided.
    """
    if len({side.record.labels.get("attention_flop", "full") for side in sides}) < 2:
        return list(sides)
    return [replace(side, record=_in_full(side.record)) for side in sides]


def _in_full(record: RunRecord) -> RunRecord:
    """A record with its model FLOP counted with attention in full."""
    if record.labels.get("attention_flop") != "causal" or record.tokens.value is None:
        return record
    source = "energy.flops: forward and backward, attention in full, as on the other side"
    counted = float(total(model_flop(Shape.from_dict(record.shape)))) * record.tokens.value
    own, in_full = record.metrics.get("mfu"), record.metrics.get("mfu_full")
    if "workload" in record.labels and own and in_full and own.value and in_full.value:
        # Not all passes of all weights: the record says what the same work is in full.
        counted = (record.model_flop.value or 0.0) * in_full.value / own.value
    flop = Quantity.exact(counted, "FLOP", source, record.model_flop.origin)
    labels = record.labels | {"attention_flop": "full"}
    return record.model_copy(update={"model_flop": flop, "labels": labels})


def side_of(
    run: Run,
    basis: Basis,
    accounting: str | None,
    prediction_of: Callable[[Scenario], Prediction] | None = None,
) -> Side:
    """One run of a comparison.

    Args:
        run: a scenario or a record.
        basis: of all runs that are compared (`choose_basis`).
        accounting: as-published, location or market; None is the run's own.
        prediction_of: predicts a scenario; `predict` by default. That of a `Predicted` does not
            repeat the step of a run that only changes its length.
    """
    if isinstance(run, RunRecord):
        return Side(run, _accounting(accounting, "location"))
    if basis == "published":
        section = reported.require(run)
        record, kind = reported.record(run), _accounting(accounting, section.accounting)
        co2 = carbon(reported.energy(run), section.power_boundary, record, kind)
        return Side(record, kind, (reported.work(run), co2))
    if prediction_of is None:
        from simulator.runs.predict import predict

        prediction_of = predict
    prediction, kind = prediction_of(run), _accounting(accounting, "location")
    return Side(prediction.record, kind, (prediction.co2_term(kind),))


def _read(target: RunTarget, overrides: Mapping[str, Any] | None) -> Run:
    if isinstance(target, RunRecord):
        return target
    if isinstance(target, str | Path):
        if _is_record(Path(target)):
            return RunRecord.load(target)
    elif not isinstance(target, Scenario):
        target = target.setup.scenario
    return scenario_of(target, overrides=overrides)


def _is_record(path: Path) -> bool:
    """Whether a path is of a record, or its folder, rather than of a model's configuration."""
    if path.is_dir():
        return (path / "record.json").is_file() or not (preset_of(str(path)) or is_model(str(path)))
    if path.suffix != ".json":
        return False
    try:
        values = read_json(path, "a record")
    except InputError:  # whoever reads it next says what is wrong
        return path.name != "config.json"
    return not (isinstance(values, dict) and "model_type" in values)


def _accounting(accounting: str | None, own: Accounting) -> Accounting:
    """The accounting that the user names, or the run's own.

    Raises:
        InputError: it is neither location, market nor as-published.
    """
    if accounting is None or accounting == "as-published":
        return own
    require_choice("--accounting", accounting, ("as-published", "location", "market"))
    return "location" if accounting == "location" else "market"
