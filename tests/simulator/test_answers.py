"""Every answer of the package is a frame with units in its names, plain data, and a picture."""

from __future__ import annotations

import copy
import doctest
import inspect
import json
import pickle
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from IPython.lib.pretty import pretty
from matplotlib.figure import Figure

import simulator
from energy.errors import InputError
from energy.record import Kind
from simulator.kit.answer import Answer
from simulator.published.shipped import published_tables
from simulator.questions.catalog.answer import chips, models, prices
from simulator.questions.serve.batches import over_batches
from simulator.questions.serve.plans import best_plan
from simulator.questions.serve.prompt import published
from simulator.runs.predict import predict as predict_run
from simulator.scenarios.scenario import load
from simulator.serving.request import Request

RUN = "glam-8b-64e"
TWO = ("glam-64b-64e", "glam-137b")

UNITS = (
    *("s", "ms", "seconds", "h", "hours", "days", "weeks", "per", "flop", "bytes", "usd"),
    *("w", "watts", "mw", "j", "mwh", "g", "t", "kg", "l", "m3"),
)
COUNTS = (
    *("tokens", "params", "parameters", "chips", "rows", "plan", "plans", "shape", "units"),
    *("year", "near", "steps", "axes", "sequences", "batch"),
)
RATIOS = (
    *("share", "shares", "ratio", "goodput", "mfu", "pue", "error", "worse", "freed", "flat"),
    *("coverage", "overlap"),
)
OWN_UNIT = frozenset(["value", "prior", "low", "high", "predicted", "measured", "reported"])
"""Columns of frames that have a column of units."""


def grid_series(folder: Path) -> Path:
    """A month of hourly factors."""
    hours = pd.date_range("2025-01-01", periods=24 * 30, freq="h", tz="UTC")
    grams = 300 + 100 * np.sin(np.arange(len(hours)) / 4)
    path = folder / "grid.csv"
    pd.DataFrame({"time": hours.strftime("%Y-%m-%dT%H:%MZ"), "g_per_kwh": grams}).to_csv(
        path, index=False
    )
    return path


def own_rows(folder: Path) -> Path:
    """A few published rows as a table of one's own."""
    lines = published_tables()[0].read_text().splitlines()
    path = folder / "rows.csv"
    path.write_text("\n".join(lines[:13]) + "\n")
    return path


def own_records(folder: Path) -> Path:
    """A prediction, and the same run as if it had been measured."""
    record = predict_run(load("glam-mini-16e")).record
    for kind in (Kind.PREDICTED, Kind.MEASURED):
        (folder / kind).mkdir()
        record.model_copy(update={"kind": kind}).save(folder / kind / "record.json")
    return folder


ON_H100 = {"hardware.chip": "h100"}

ANSWERS: dict[str, Callable[[Path], Answer]] = {
    "predict": lambda _: simulator.predict(RUN),
    "compare": lambda _: simulator.compare("glam-64b-64e", "gpt3-175b"),
    "sensitivity": lambda _: simulator.sensitivity("glam-mini-16e"),
    "plan": lambda _: simulator.plan(RUN),
    "sweep": lambda _: simulator.sweep(RUN, chip=["h100"], chips=[64, 128]),
    "pareto": lambda _: simulator.pareto(RUN, chip=["h100"], chips=[64, 128]),
    "feasible": lambda _: simulator.feasible(RUN, max_mw=1.0, start="2027-01-01"),
    "most_tokens": lambda _: simulator.most_tokens("glam-64b-64e", mwh=456, days=60),
    "largest_model": lambda _: simulator.largest_model("gpt3-175b", mwh=1000, mfu=0.4),
    "crossover": lambda _: simulator.crossover(
        *TWO, over="run.tokens", low=1e10, high=1e11, points=3, mfu=0.3, beyond_range=True
    ),
    "failures": lambda _: simulator.failures(chips=512, days=10, mw=1),
    "when": lambda folder: simulator.when(grid_series(folder), days=5, mw=2),
    "regions": lambda _: simulator.regions(kind="site"),
    "regions of a run": lambda _: simulator.regions(of="glam-64b-64e", kind="site"),
    "power": lambda _: simulator.power(RUN),
    "capped": lambda _: simulator.capped("glam-8b-64e", [400.0, 300.0], overrides=ON_H100),
    "validate": lambda _: simulator.validate(runs="published"),
    "validate rows": lambda folder: simulator.validate(throughput=[own_rows(folder)]),
    "validate serving": lambda _: simulator.validate(serving="published"),
    "validate records": lambda folder: simulator.validate(records=[own_records(folder)]),
    "calibrate": lambda folder: simulator.calibrate(own_rows(folder)),
    "serve": lambda _: simulator.serve("llama3-8b", "h100"),
    "serve batches": lambda _: over_batches(Request(model="gpt-oss-20b", chip="h100")),
    "serve plans": lambda _: best_plan(Request(model="llama3-8b", chip="h100", chips=2)),
    "serve prompt": lambda _: published(),
    "lifetime": lambda _: simulator.lifetime(
        RUN, "llama3-8b", tokens_per_day=1e6, against=RUN, against_serve="gpt-oss-20b"
    ),
    "models": lambda _: models(),
    "chips": lambda _: chips(),
    "prices": lambda _: prices(),
}


def test_every_public_question_is_here():
    functions = {name for name in simulator.__all__ if name.islower() and name[0] != "_"}
    assert functions - {"load_scenario", "presets"} <= set(ANSWERS)


@pytest.fixture(scope="module", params=ANSWERS)
def answer(request, tmp_path_factory):
    return ANSWERS[request.param](tmp_path_factory.mktemp("answers"))


def test_an_answer_is_plain_data(answer):
    data = answer.to_dict()
    assert data
    assert json.loads(json.dumps(data)) == data


def test_every_number_of_a_frame_has_its_unit_in_the_name_or_is_a_count_or_a_ratio(answer):
    frame = answer.to_frame()
    assert len(frame) >= 1
    assert frame.columns.is_unique
    known = {*UNITS, *COUNTS, *RATIOS}
    without = [
        name
        for name in frame.columns
        if pd.api.types.is_float_dtype(frame[name])
        and frame[name].notna().any()
        and not known & set(name.split("_"))
        and not ("unit" in frame.columns and name in OWN_UNIT)
    ]
    assert without == []


def test_a_plot_is_a_figure_whose_axes_have_labels(answer, tmp_path):
    picture = answer.plot(tmp_path / "picture.svg")
    assert isinstance(picture, Figure)
    assert picture.axes
    assert all(axes.get_xlabel() for axes in picture.axes)
    assert (tmp_path / "picture.svg").stat().st_size > 1000


def test_an_answer_survives_a_copy_and_is_told_in_a_line(answer):
    again = pickle.loads(pickle.dumps(answer))
    assert again.to_dict() == copy.deepcopy(answer).to_dict() == answer.to_dict()
    assert repr(again) == repr(answer)
    assert answer.headline
    assert "\n" not in answer.headline


def test_an_answer_shows_itself_in_a_notebook_without_colors_of_its_own(answer):
    page = answer._repr_html_()
    assert page.startswith(("<table>", "<pre>"))
    assert "color" not in page
    assert answer.headline.split()[0].strip("<") in pretty(answer)
    assert pretty([answer]) == f"[{answer!r}]"


@pytest.mark.parametrize("function", [simulator.predict, simulator.sweep])
def test_the_example_of_a_docstring_does_what_it_says(function):
    example = doctest.DocTestParser().get_doctest(
        inspect.getdoc(function), {}, function.__name__, None, None
    )
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_a_batch_that_nobody_names_is_assumed_as_loudly_by_predict_as_by_plan():
    options = {"chip": "h100", "chips": 64, "tokens": "300B"}
    words = "batch 4.00M tokens (run.batch_tokens; 1.00M to 16.0M is usual)"
    run = simulator.predict("llama3-8b", **options)
    assert words in " ".join(run.text().split())
    assert words in simulator.plan("llama3-8b", **options).left_open
    named = simulator.predict("llama3-8b", batch=512, **options)
    assert "run.batch_tokens" not in named.text()


@pytest.mark.parametrize("tokens", ["15X", "", "-3", 0])
def test_tokens_that_are_no_number_are_refused_with_value_and_fix(tokens):
    with pytest.raises(InputError, match=r"expected run\.tokens (as a number|above 0); got"):
        simulator.predict("glam-8b", chip="h100", chips=64, tokens=tokens)


def test_a_run_may_be_named_scenario_path_or_prediction(tmp_path):
    scenario = simulator.load_scenario("glam-mini-16e")
    path = tmp_path / "run.toml"
    path.write_text(
        '[model]\npreset = "glam-mini-16e"\n[run]\nsteps = 240\nbatch_sequences = 8\n'
        '[hardware]\nchip = "h100"\n'
    )
    for target in (scenario, path, str(path)):
        assert simulator.pareto(target, "glam-mini").cells[0].model
        assert simulator.feasible(target, max_mw=1).keepers
        assert simulator.plan(target).best
    compared = simulator.compare(simulator.predict(scenario), scenario, "glam-mini-16e")
    first, *others = (side.facility_j for side in compared.sides)
    assert all(other == first for other in others)


def test_what_may_be_named_several_times_may_be_named_once():
    lone = simulator.pareto(RUN, chip="h100", chips=64, region="FRA", price="h100-1-year-2026")
    listed = simulator.pareto(
        RUN, chip=["h100"], chips=[64], region=["FRA"], price=["h100-1-year-2026"]
    )
    assert lone.to_dict() == listed.to_dict()
    day = simulator.feasible(RUN, max_mw=1, by=date(2027, 1, 2), start=date(2026, 1, 1))
    assert day.limits.start == date(2026, 1, 1)


def test_a_search_without_a_run_is_refused():
    with pytest.raises(InputError, match="expected a run, or a model; got nothing"):
        simulator.pareto()


@pytest.mark.parametrize("name", sorted(set(simulator.__all__) - {"__version__"}))
def test_a_signature_shows_values_that_a_reader_can_write(name):
    public = getattr(simulator, name)
    if callable(public):
        assert " at 0x" not in str(inspect.signature(public))
