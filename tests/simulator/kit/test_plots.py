"""Pictures of the simulator: units on every axis, bands, and colors that differ in gray too."""

from dataclasses import replace
from functools import partial
from xml.etree import ElementTree

import matplotlib.colors
import numpy as np
import pytest
from matplotlib.figure import Figure

from energy.errors import InputError
from energy.facts.grid_series import Series
from energy.quantity import Origin, Quantity
from simulator.kit import style
from simulator.questions.compare.answer import compare
from simulator.questions.compare.picture import carbon
from simulator.questions.failures.picture import panels as panels_of_failures
from simulator.questions.sensitivity.answer import sensitivity
from simulator.questions.when.answer import Options, schedule
from simulator.runs.failures import failure_costs
from simulator.runs.jobs import Job


@pytest.fixture
def comparison():
    return compare("glam-64b-64e", "gpt3-175b", basis="published", accounting="as-published")


def drawn(*panels):
    rows = Figure().subplots(len(panels), squeeze=False)[:, 0]
    return [panel(axes) for panel, axes in zip(panels, rows, strict=True)]


def job():
    exact = {"source": "test", "origin": Origin.ASSUMED}
    return Job(
        name="test",
        chips=512,
        training_s=Quantity.exact(1e6, "s", **exact),
        power_w=Quantity.exact(1e5, "W", **exact),
    )


def test_a_comparison_has_units_on_its_axes_and_every_run_on_it(comparison):
    energy, co2, apart = drawn(*comparison.panels())
    assert energy.get_xlabel() == "facility energy / MWh"
    assert co2.get_xlabel() == "CO2e, gross and net / t"
    assert "/ 1" in apart.get_xlabel()
    names = [text.get_text() for text in energy.get_yticklabels()]
    assert names == ["glam-64b-64e", "gpt3-175b"]
    # arXiv:2112.06905, arXiv:2104.10350: 456 and 1,287 MWh.
    widths = [bar.get_width() for bar in energy.patches]
    assert widths == pytest.approx([456, 1287], rel=0.003)
    factors = {
        text.get_text(): bar
        for text, bar in zip(apart.get_yticklabels(), apart.patches, strict=True)
    }
    assert factors["= energy"].get_width() == pytest.approx(1.83, abs=0.01)
    # A whisker over each of two bars, white under black.
    assert len(energy.containers) >= 4


def test_a_missing_value_is_written_and_not_drawn_as_zero(comparison):
    side = comparison.sides[0]
    side.record.co2_market_g = Quantity.absent("g", "no zone")
    axes = carbon([side], Figure().subplots())
    assert len(axes.patches) == 0
    assert [text.get_text().strip() for text in axes.texts] == ["missing"]


def test_equal_quality_draws_the_spread_of_the_laws():
    comparison = compare(
        "gpt3-175b",
        "glam-64b-64e",
        basis="published",
        accounting="as-published",
        equal="quality",
        beyond_range=True,
    )
    (energy,) = drawn(comparison.panels()[0])
    ends = [segment[:, 0] for line in energy.collections for segment in line.get_segments()]
    widest = max((float(end.max() - end.min()) for end in ends if len(end)), default=0.0)
    _, low, high = comparison.sides[1].facility_j.numbers()
    assert widest == pytest.approx((high - low) / 3.6e9, rel=1e-6)


def test_a_tornado_has_its_unit_the_band_of_all_and_a_bar_per_assumption():
    answer = sensitivity("gpt3-175b", basis="published")
    (axes,) = drawn(*answer.panels())
    assert axes.get_xlabel() == "gpt3-175b: CO2e, gross / t"
    assert len(axes.get_yticklabels()) == len(answer.bars) == 2
    labels = axes.get_legend_handles_labels()[1]
    assert labels == [
        "80 % band of all together",
        "assumption at its low end",
        "assumption at its high end",
    ]


def test_goodput_is_drawn_with_its_band_and_a_unit_on_both_axes():
    for axes in drawn(*panels_of_failures(failure_costs(job(), {}))):
        assert axes.collections
        assert "/" in axes.get_ylabel()
        assert "/" in axes.get_xlabel()


def test_starts_and_pauses_are_drawn_with_a_unit_on_both_axes_and_the_band_of_the_run():
    edges = np.arange(24 * 30 + 1) * 3600.0
    series = Series(edges, 300 + 100 * np.sin(edges[:-1] / 9e4), "test")
    for width in (0.0, 0.2):
        run = replace(job(), power_w=Quantity.of(1e5, "W", "test", Origin.MODELLED, relative=width))
        starts, pauses = drawn(*schedule(run, series, Options()).panels())
        for axes in (starts, pauses):
            assert "/" in axes.get_xlabel()
            assert "/" in axes.get_ylabel()
        labels = starts.get_legend_handles_labels()[1]
        assert ("80 % band of the run's energy" in labels) == (width > 0)


def test_the_colors_differ_in_gray_too():
    gray = {}
    for name in ("ANSWER", "BAND", "LOST", "FACTOR"):
        red, green, blue = matplotlib.colors.to_rgb(getattr(style, name))
        gray[name] = 0.299 * red + 0.587 * green + 0.114 * blue
    assert gray["BAND"] - gray["ANSWER"] > 0.3
    assert gray["LOST"] - gray["ANSWER"] > 0.3
    # The gray of a factor is next to answers only, and is hatched.
    assert gray["FACTOR"] - gray["ANSWER"] > 0.3


@pytest.mark.parametrize("width", [2.5, 4.0, 8.0])
def test_a_legend_below_stays_within_the_picture_and_names_the_artists_of_every_panel(width):
    def panel(name, axes):
        axes.plot([1, 2], [1, 2], label=f"a name of many words that is long: {name}")
        axes.plot([1, 2], [2, 1], label="in both panels")
        axes.legend()
        return style.legend_below(axes)

    picture = style.figure([partial(panel, name) for name in ("first", "second")], (width, 2.0))
    picture.draw_without_rendering()
    (legend,) = picture.legends
    assert [axes.get_legend() for axes in picture.axes] == [None, None]
    assert len(legend.get_texts()) == 3
    box = legend.get_window_extent()
    assert (box.x0, box.y0) >= (0, 0)
    assert box.x1 <= picture.bbox.width
    assert box.y1 <= picture.axes[1].get_tightbbox().y0


@pytest.mark.parametrize("names", [[], ["one"], ["one", "two", "three", "four"]])
def test_rows_have_a_place_each_and_none_are_no_error(names):
    axes = style.named_rows(Figure().subplots(), names)
    bottom, top = axes.get_ylim()
    assert bottom > top
    assert [text.get_text() for text in axes.get_yticklabels()] == names


def test_numbers_of_thousands_have_commas_on_linear_and_logarithmic_axes():
    def panel(log, axes):
        axes.plot([1, 4000], [1, 2])
        return style.log_x(axes) if log else axes

    for axes in style.figure([partial(panel, log) for log in (False, True)]).axes:
        assert "1,000" in [axes.xaxis.get_major_formatter()(number) for number in (1, 1000)]


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_answer_gives_the_same_file(tmp_path, comparison, form):
    first, second = tmp_path / f"a.{form}", tmp_path / f"b.{form}"
    comparison.plot(first)
    comparison.plot(second)
    assert first.read_bytes() == second.read_bytes()


def test_another_ending_is_refused_and_leaves_no_file(tmp_path, comparison):
    with pytest.raises(InputError, match="svg or"):
        comparison.plot(tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def test_the_verbs_draw(simulator, tmp_path):
    code, out, _ = simulator("compare", "glam-64b-64e", "gpt3-175b", "--plot", "c.png", "--json")
    assert (code, out[0]) == (0, "{")
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"
    code, _, _ = simulator("sensitivity", "glam-mini-16e", "--plot", "t.svg")
    assert code == 0
    assert (tmp_path / "t.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("name", ["$x$", "a $b", "$\\frac{1}$", "2 $/h and 3 $/h"])
def test_a_dollar_in_a_name_is_a_letter_of_every_picture(tmp_path, name):
    def panel(axes):
        axes.barh([0], [1.0], label=name)
        axes.set_xlabel(name)
        return style.named_rows(axes, [name])

    style.save(tmp_path / "picture.html", panel)
    assert (tmp_path / "picture.html").read_text().count(name) >= 3
    notebook = style.figure([panel])
    notebook.canvas.draw()  # outside our settings
    (axes,) = notebook.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [name]


@pytest.mark.filterwarnings("error")
def test_no_letter_of_a_name_spoils_a_picture(tmp_path):
    """No XML may have control letters, and no font of matplotlib has Chinese."""
    name = "訓練 \x1b[31m"
    for ending in ("svg", "html", "png"):
        style.save(
            tmp_path / f"picture.{ending}",
            lambda axes: style.named_rows(axes, [name]),
            text=name,
            command=name,
        )
    ElementTree.parse(tmp_path / "picture.svg")
    assert "訓練 \\x1b[31m" in (page := (tmp_path / "picture.html").read_text())
    assert "\x1b" not in page
