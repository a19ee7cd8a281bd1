"""A record with amounts that cannot be is refused with one line; what we store stays readable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.amounts import require_possible
from energy.arithmetic import add
from energy.errors import InputError
from energy.quantity import Boundary, Origin, Quantity
from energy.record import RunRecord, Window
from tests.support.records import quantity, run_record

IMPOSSIBLE = {
    "elapsed_s": ({"value": -1.0, "low": -1.0, "high": -1.0}, "elapsed_s of 0 or more"),
    "totals.it": ({"value": -5.0, "low": -5.0, "high": 1.0}, "totals.it of 0 or more"),
    "energy.0": ({"value": 5.0, "low": -5.0, "high": 10.0}, "a band from -5 J"),
    "tokens": ({"value": -1.0, "low": -1.0, "high": -1.0}, "tokens of 0 or more"),
    "windows.0.elapsed_s": ({"value": -1.0, "low": -1.0, "high": 1.0}, "windows.0.elapsed_s"),
    "wasted.energy_j": ({"value": -1.0, "low": -1.0, "high": 1.0}, "wasted.energy_j of 0"),
    "chip_s": ({"shares": {"measured": 2.0}}, "chip_s.shares that are parts of 1 in"),
    "co2_location_g": ({"unit": "J"}, "co2_location_g in g"),
    "windows.0": ({"begin_s": 5.0, "end_s": 1.0}, "windows.0 that ends after it begins"),
}


def written(path, run):
    run.windows = [
        Window(name="w", count=1, elapsed_s=quantity(1.0, "s"), energy_j=quantity(1.0, "J"))
    ]
    run.save(path)
    return json.loads(path.read_text())


@pytest.mark.parametrize("place", IMPOSSIBLE)
def test_an_amount_that_cannot_be_is_refused_by_its_name(place, tmp_path):
    path, (change, expected) = tmp_path / "record.json", IMPOSSIBLE[place]
    document = written(path, run_record())
    table = document
    for step in place.split("."):
        table = table[int(step) if step.isdigit() else step]
    table.update(change)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as refused:
        RunRecord.load(path)
    assert expected in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_ratio_may_be_negative_and_a_metric_has_a_unit_of_its_own(tmp_path):
    run = run_record()
    run.metrics["overhead"] = Quantity.exact(-0.01, "1", "test")
    run.metrics["tokens_per_s"] = Quantity.exact(5.0, "1/s", "test")
    run.save(tmp_path)
    assert RunRecord.load(tmp_path).metrics["overhead"].value == -0.01


@given(st.lists(st.tuples(st.floats(0, 1e15), st.floats(0, 1)), min_size=1, max_size=20))
def test_a_sum_of_possible_amounts_is_possible(parts):
    run = run_record()
    run.totals[Boundary.CHIP] = add(
        [
            Quantity.of(value, "J", "test", Origin.MEASURED, relative=relative)
            for value, relative in parts
        ]
    )
    require_possible(run, "memory", "")
