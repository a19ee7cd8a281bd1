"""What a run would spend: the answer of `simulator predict`, and of `simulator.predict`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from energy.display import Printer
from energy.errors import InputError
from energy.quantity import Boundary
from simulator.kit.answer import Answer, Data
from simulator.runs import predict as runs
from simulator.runs.measured import calibrated
from simulator.scenarios.request import Target, Tokens, scenario_of
from simulator.scenarios.scenario import Scenario
from simulator.serving.reinforcement import reinforcement


@dataclass(frozen=True, repr=False)
class Prediction(Answer, runs.Prediction):
    """A prediction that can be printed, drawn and taken apart."""

    @property
    def headline(self) -> str:
        """The record in a few words."""
        return repr(self.record)

    @property
    def title(self) -> str:
        """Time, joules of the facility with their band, and CO2e, where they are known."""
        record = self.record
        parts = [record.elapsed_s.human()]
        joules = record.totals.get(Boundary.FACILITY)
        if joules is not None and joules.value is not None:
            parts.append(f"{joules.human()} at the facility ({joules.band()})")
        if record.co2_location_g.value is not None:
            parts.append(f"{record.co2_location_g.human()} of CO2e")
        return f"{record.name} takes {', '.join(parts)}"

    def to_frame(self) -> Any:
        """The headline quantities of the record as a frame of pandas, one row each."""
        return self.record.to_frame()

    def _repr_html_(self) -> str:
        return self.record._repr_html_()

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        if cycle or printer.indentation:
            printer.text(repr(self))
        else:
            self.record._repr_pretty_(printer, cycle)

    def __rich__(self) -> Any:
        return self.record.__rich__()

    def save_trace(self, path: str | Path) -> None:
        """Write one step as a trace that Perfetto opens: parts, messages, bubbles and joules.

        Raises:
            InputError: the file cannot be written.
        """
        from simulator.questions.predict.trace import trace

        trace(self).save(Path(path))

    def frame_data(self) -> Data:
        """One row of the headline quantities, for --csv."""
        from energy.reports.runs import row

        return [row(self.record)]

    def explained(self) -> Data:
        """The record with the tree of its CO2e; a list, as later trees may stand beside it."""
        from simulator.terms import as_json

        record = self.record.model_dump(mode="json")
        return record | {"explain": [as_json(term) for term in self.terms().values()]}


def predict(
    target: Target,
    *,
    tokens: Tokens | None = None,
    steps: int | None = None,
    batch: int | None = None,
    seq_len: int | None = None,
    chip: str | None = None,
    chips: int | None = None,
    machine: str | Path | None = None,
    zone: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    measured: str | None = None,
    cluster: str | Path | None = None,
) -> Prediction:
    """Predict FLOP, time, energy, CO2e, water and cost of a run before it is run.

    >>> from simulator import predict
    >>> run = predict("deepseek-v3", chip="h200", chips=2048, tokens="15T", zone="FIN")
    >>> run  # doctest: +ELLIPSIS
    <Prediction: RunRecord('deepseek-v3', predicted, ... MWh facility, ... t CO2e)>
    >>> run.to_frame().loc["energy_facility_j", "unit"]
    'J'

    Args:
        target: a scenario, a preset, a model of the catalog, or the path of a scenario file.
        tokens: of the run: 15e12 or "15T".
        steps: instead of tokens, optimizer steps.
        batch: sequences of one optimizer step.
        seq_len: tokens of a sequence.
        chip: of the catalog.
        chips: how many.
        machine: instead of a chip, a file that `simulator calibrate` wrote.
        zone: grid zone.
        overrides: other values by dotted key: {"run.goodput": 0.9}.
        measured: a rate or step time of this very run: "65 tokens/s/chip", "9.96 s", "41% MFU".
        cluster: a file to keep the measured row in, for `hardware.constants` of other runs.

    Raises:
        InputError: the target is unknown, or a key or value is not valid.
        InfeasibleError: no plan is possible, or none fits in memory.
        MissingDataError: a fact that the prediction needs is not known.
    """
    return prediction(
        scenario_of(
            target,
            tokens=tokens,
            steps=steps,
            batch=batch,
            seq_len=seq_len,
            chip=chip,
            chips=chips,
            machine=machine,
            zone=zone,
            overrides=overrides,
        ),
        measured,
        None if cluster is None else Path(cluster),
    )


def prediction(
    scenario: Scenario, measured: str | None = None, cluster: Path | None = None
) -> Prediction:
    """The prediction of a scenario, as an answer; scaled where a rate of it was measured.

    Raises:
        InputError: there is a file to keep a row in, and no row.
    """
    if measured is None and cluster is not None:
        raise InputError("expected a measured row to keep", "none", "add --measured")
    if scenario.workload.kind == "rl":
        if measured is not None:
            raise InputError(
                "expected training alone with --measured",
                "rl, of which no rate says what generation and training take of it",
                "measure the training alone, with workload.kind=fine-tuning",
            )
        predicted = runs.predict(reinforcement(scenario))
    else:
        predicted = calibrated(scenario, measured, cluster) if measured else runs.predict(scenario)
    return Prediction(predicted.estimate, predicted.record, predicted.elapsed, predicted.energy)
