"""The figures of the meters' gates: kept with date and machine, shown with limit and verdict."""

import pytest

from benchmarks.gate import Gate
from benchmarks.meters import __main__ as program
from benchmarks.meters import figures, million, ranks
from benchmarks.pages import split_at_marks
from energy.errors import InputError, ToleranceError
from tests.support import ROOT

ROWS = [
    figures.Figure(Gate("claims", 3, 0, rows=200)),
    figures.Figure(Gate("coverage", 0.975, 0.93, at_least=True, rows=50), "share"),
    figures.Figure(Gate("memory", 58e6, 60e6), "MB"),
]


def test_a_row_shows_its_figure_its_limit_and_the_verdict():
    cells = [row.cells("bands") for row in ROWS]
    assert cells[0] == ("claims", "3", "200", "at most 0", "no", "`bands`")
    assert cells[1][1:5] == ("97.5 %", "50", "at least 93 %", "yes")
    assert cells[2][1:5] == ("58 MB", "", "at most 60 MB", "yes")


def test_figures_are_read_back_as_they_were_measured(tmp_path):
    path = tmp_path / "figures.json"
    assert figures.load(path) == {}
    measured = {"bands": figures.now(ROWS, "a note")}
    figures.save(measured, path)
    assert figures.load(path) == measured
    path.write_text('{"bands": {}}')
    with pytest.raises(InputError, match="expected the figures of the gates"):
        figures.load(path)


def test_the_page_has_the_rows_of_each_gate_with_date_and_machine(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {figures.MARK} -->\nold\n<!-- end of {figures.MARK} -->\n")
    figures.write_page({"bands": figures.now(ROWS, "beside before")}, page)
    text = page.read_text()
    assert "| coverage | 97.5 % | 50 | at least 93 % | yes | `bands` |" in text
    assert "cores, Python" in text
    assert "; beside before" in text
    assert "old" not in text


def test_the_results_page_has_a_place_for_the_figures():
    split_at_marks(ROOT / "docs" / "results-meters.md", figures.MARK)


def test_one_gate_is_measured_by_its_name_and_a_missed_one_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(program, "GATES", {"bands": lambda setup: ROWS})
    with pytest.raises(ToleranceError, match="misses of claims"):
        program.run(["bands"], None, None, as_json=False)
    assert "at least 93 %" in capsys.readouterr().out
    with pytest.raises(InputError, match="expected a gate; got nothing"):
        program.run(["nothing"], None, None, as_json=False)


def test_a_checkout_without_the_package_and_this_one_are_refused(tmp_path):
    with pytest.raises(InputError, match="git worktree add"):
        program.run(["million"], tmp_path, None, as_json=False)
    with pytest.raises(InputError, match="another checkout than this one"):
        program.run(["million"], ROOT, None, as_json=False)


def test_a_record_of_many_rows_is_taken_in_turns_with_its_memory():
    compared = million.compare(None, range(1), rows=2_000)
    (run,) = compared.here
    assert run.stdout.split()[1] == "999"
    assert compared.ratio is None
    assert compared.peak_bytes > 1e6


def test_ranks_merge_to_the_exact_joules_in_any_order():
    merged = ranks.compare(nodes=3)
    assert merged.identical
    assert merged.error < 1e-6
    assert len(merged.first.energy) >= 3 * ranks.RANKS
