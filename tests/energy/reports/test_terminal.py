"""Tables in a terminal and in a pipe: keys are whole, and what is left out is named."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape

from energy.reports.terminal import FILE_WIDTH, EscapingConsole, Fitted, _whole, console, table
from simulator.questions.catalog import answer as catalog

WORDS = st.text("abcdefgh", min_size=1, max_size=30)


def shown(page, width):
    """The lines of a page in a terminal of some width."""
    out = io.StringIO()
    page(
        EscapingConsole(
            file=out, width=width, force_terminal=True, color_system=None, highlight=False
        )
    )
    return out.getvalue().splitlines()


def filled(columns, cells):
    lines = table("key", *columns)
    for row in cells:
        lines.add_row(*row)
    return lines


@given(
    st.lists(st.tuples(*[WORDS] * 6), min_size=1, max_size=4),
    st.integers(12, 120),
)
def test_a_table_fits_its_terminal_and_every_shown_cell_but_the_source_is_whole(cells, width):
    lines = filled(["a", "b", "c", "d", "source"], cells)
    printed = shown(lambda terminal: terminal.print(lines), width)
    title, rows = printed[0], printed[1 : 1 + len(cells)]
    widest_key = max(len(row[0]) for row in cells)
    assert all(len(line) <= max(width, widest_key, 3) for line in printed)
    titles = title.split()
    for row, line in zip(cells, rows, strict=True):
        for name, cell in zip(("key", "a", "b", "c", "d"), row, strict=False):
            assert (cell in line) or name not in titles
        assert line.startswith(row[0])
    # Others go from the right; the source stays while 16 characters of it fit.
    source = ["source"] if "source" in titles else []
    assert titles == ["key", *"abcd"[: len(titles) - 1 - len(source)], *source]
    assert source or titles == ["key"]
    remark = " ".join(" ".join(printed[1 + len(cells) :]).split())
    gone = [name for name in (*"abcd", "source") if name not in titles]
    assert remark == (f"left out in {width} columns: {', '.join(gone)}" if gone else "")


def test_text_is_folded_before_columns_are_left_out():
    words = "a plan of many words, of which none is cut, and all of which a reader wants to see"
    lines = table("key", "plan", "step", "cost", left=("plan",))
    lines.add_row("a-key-that-is-whole", words, "9.96 s", "131,000 USD")
    title, *rows = shown(lambda terminal: terminal.print(lines), 80)
    assert title.split() == ["key", "plan", "step", "cost"]
    assert all(len(row) <= 80 for row in rows)
    start, stop = title.index("plan"), title.index("step") - 3
    assert " ".join(row[start:stop].strip() for row in rows) == words
    title, *rows = shown(lambda terminal: terminal.print(lines), 50)
    assert title.split() == ["key", "plan"]
    assert rows[-1] == "left out in 50 columns: step, cost"


NUMBERS = st.text("0123456789", min_size=1, max_size=20)


@given(
    st.permutations(["80 % band", "origin", "value", "status", "source"]),
    st.lists(st.tuples(*[NUMBERS] * 6), min_size=1, max_size=4),
    st.integers(12, 120),
)
def test_an_origin_is_left_out_before_any_band_and_the_source_last(columns, cells, width):
    lines = filled(columns, cells)
    title = shown(lambda terminal: terminal.print(lines), width)[0]
    kept = {name for name in columns if name in title}
    assert "80 % band" in kept or "origin" not in kept
    assert "source" in kept or not kept


def test_numbers_with_their_bands_in_words_are_folded_before_columns_are_left_out():
    words = "51.2 days (80 %: 51.2 to 51.3, modelled)"
    lines = filled(["a model", "another", "ratio"], [("elapsed", words, words, "0.289")])
    title, *rows = shown(lambda terminal: terminal.print(lines), 60)
    assert title.split() == ["key", "a", "model", "another", "ratio"]
    assert all(len(row) <= 60 for row in rows)
    assert "elapsed" in rows[0]
    assert "0.289" in rows[0]
    assert "modelled)" in rows[-1]


def test_a_prediction_shows_its_bands_in_80_columns():
    from simulator import predict
    from simulator.questions.predict.page import page

    prediction = predict("glam-64b-64e")
    printed = shown(lambda terminal: page(prediction, terminal), 80)
    assert "80 % band" in printed[0]
    assert all(len(line) <= 80 for line in printed)


@given(st.lists(st.tuples(*[WORDS] * 3), min_size=1, max_size=4), st.integers(1, 30))
def test_a_pipe_gets_every_cell_whole_on_one_line(cells, many):
    lines = filled(["a" * FILE_WIDTH * (many % 2) + "b", "source"], cells)
    out = io.StringIO()
    pipe = console()
    pipe.file = out
    pipe.print(lines)
    printed = out.getvalue().splitlines()
    assert len(printed) == 1 + len(cells)
    for row, line in zip(cells, printed[1:], strict=True):
        assert line.split() == list(row)


@pytest.mark.parametrize(
    ("answer", "key"), [(catalog.chips, "id"), (catalog.models, "name"), (catalog.prices, "id")]
)
def test_the_catalog_in_80_columns_has_every_key_whole_and_its_source(answer, key):
    rows = answer()
    lines = shown(rows.page, 80)
    assert all(len(line) <= 80 for line in lines)
    starts = {line.split()[0] for line in lines if line}
    assert starts >= {getattr(row, key) for row in rows.rows}
    assert lines[0].split()[-1] == "source"
    assert any(line.startswith("left out in 80 columns: ") for line in lines)


CELLS = st.text("ab é字[]:\n 1.", max_size=12)


class ByRich(Fitted):
    """A table whose every line is set by rich."""

    def _text(self, console, widths):
        return self._lines(console, console.options, self.columns, _whole(widths))


@given(st.lists(st.tuples(*[CELLS] * 3), min_size=1, max_size=4))
def test_a_table_in_a_pipe_has_the_lines_that_rich_would_set(cells):
    def printed(lines):
        out = io.StringIO()
        EscapingConsole(file=out, width=FILE_WIDTH, highlight=False).print(lines)
        return out.getvalue()

    lines = filled(["number", "text"], [[escape(cell) for cell in row] for row in cells])
    lines.columns[2].justify = "left"
    by_rich = ByRich()
    by_rich.columns, by_rich.rows = lines.columns, lines.rows
    assert printed(lines) == printed(by_rich)
