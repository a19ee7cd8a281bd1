"""The tables of chips and models: complete, sourced, true to the papers, names in any spelling."""

import csv
from importlib.resources import files

import pytest

from energy.errors import InputError, MissingDataError
from energy.facts import catalog, rows
from energy.quantity import Boundary
from energy.shape import active_parameters, parameters, total

PAPER = "arXiv:2112.06905, table 4"


def count(name):
    shape = catalog.model(name).shape
    return float(total(parameters(shape))), float(total(active_parameters(shape)))


@pytest.mark.parametrize(
    ("name", "active"),
    [
        ("glam-1.7b", 1.68e9),
        ("glam-1.7b-32e", 1.878e9),
        ("glam-1.7b-64e", 1.879e9),
        ("glam-1.7b-128e", 1.881e9),
        ("glam-1.7b-256e", 1.884e9),
        ("glam-8b", 8.72e9),
        ("glam-8b-64e", 9.80e9),
        ("glam-64b-64e", 96.6e9),
    ],
)
def test_active_parameters_of_glam_are_those_of_the_paper(name, active):
    # 32,000 tokens of vocabulary for the small rows, 256,000 for the flagship.
    assert count(name)[1] == pytest.approx(active, rel=5e-4 if "-" in name[5:] else 3e-3), PAPER


@pytest.mark.parametrize(
    ("name", "whole", "tolerance"),
    [
        ("glam-0.1b-64e", 1.91e9, 2e-3),
        ("glam-1.7b-64e", 26.8e9, 2e-3),
        ("glam-8b-64e", 143e9, 2e-3),
        ("glam-64b-64e", 1.16e12, 5e-3),
    ],
)
def test_total_parameters_of_glam_are_those_of_the_paper(name, whole, tolerance):
    assert count(name)[0] == pytest.approx(whole, rel=tolerance), PAPER


def test_the_flagship_activates_8_percent_of_its_parameters():
    whole, active = count("glam-64b-64e")
    assert f"{active / 1e9:.1f}" == "96.6"
    assert active / whole == pytest.approx(0.083, abs=5e-4)


def test_the_137b_dense_model_is_137b_without_its_embedding():
    parts = parameters(catalog.model("glam-137b").shape)
    assert total(parts) - parts["embedding"] == pytest.approx(137.4e9, rel=1e-3)


# Rows whose published figure fits no vocabulary size; their notes say so.
DOUBTFUL = {"glam-0.1b", "glam-0.1b-64e", "glam-1.7b-32e"}


OLDER = [row for row in catalog.models() if row.status == "mixed"]


@pytest.mark.parametrize("row", OLDER, ids=lambda row: row.name)
def test_each_shape_gives_the_published_total(row):
    whole = count(row.name)[0]
    if row.name in DOUBTFUL:
        assert row.notes
        assert "formula gives" in row.notes
        return
    # 1.2T is printed for 1.162T: one rounding of two digits.
    assert whole == pytest.approx(row.params_total, rel=0.035)


RELEASED = [row for row in catalog.models() if row.status == "unconfirmed"]

EXPLAINED = {"kimi-k2", "kimi-linear-48b-a3b", "llama4-scout"}
"""Rows whose published total is more than its last digit and 1 % from their sizes; their notes say
why."""


def rounding(published):
    """A unit of the last printed digit (some round, some cut), and 1 %."""
    digits = f"{published:.10e}".split("e")[0].rstrip("0").replace(".", "")
    unit = 10 ** (len(f"{published:.0f}") - len(digits))
    return max(unit, 0.01 * published)


@pytest.mark.parametrize("row", RELEASED, ids=lambda row: row.name)
def test_released_models_have_the_published_total(row):
    whole = float(total(parameters(row.shape)))
    if row.name in EXPLAINED:
        assert row.notes
        assert whole == pytest.approx(row.params_total, rel=0.04)
        return
    assert abs(whole - row.params_total) <= rounding(row.params_total)


@pytest.mark.parametrize("row", RELEASED, ids=lambda row: row.name)
def test_released_models_have_the_published_active_parameters_by_their_convention(row):
    if row.params_active is None:
        return
    active = float(total(active_parameters(row.shape, row.active_convention)))
    assert abs(active - row.params_active) <= rounding(row.params_active)


def test_gpt_oss_counts_active_parameters_without_the_input_embedding():
    shape = catalog.model("gpt-oss-120b").shape
    assert total(active_parameters(shape)) == 5_132_849_472  # transformers, on the meta device
    assert total(active_parameters(shape, "with-both-embeddings")) == 5_711_982_912


@pytest.mark.parametrize("row", RELEASED, ids=lambda row: row.name)
def test_a_dense_twin_has_the_active_parameters_of_its_mixture(row):
    if not row.shape.n_moe_layers:
        return
    twin = catalog.model(f"{row.name}-dense").shape
    active, parts = active_parameters(row.shape), active_parameters(twin)
    assert total(parts) == pytest.approx(total(active) - active["router"], rel=5e-4)
    assert total(parameters(twin)) == total(active_parameters(twin, "with-both-embeddings"))


@pytest.mark.parametrize(
    ("spelling", "chip_id"),
    [
        ("H100", "h100-sxm5-80gb"),
        ("A100-80", "a100-sxm4-80gb"),
        ("tpu_v4", "tpu-v4"),
        ("TPU v5p", "tpu-v5p"),
        ("v100-32gb", "v100-sxm2-32gb"),
        ("h800_80gb", "h800-sxm5-80gb"),
    ],
)
def test_a_chip_is_known_by_any_common_spelling(spelling, chip_id):
    assert catalog.chip(spelling).id == chip_id


def test_no_two_chips_share_a_spelling():
    spellings = [
        rows.plain_name(alias) for row in catalog.chips() for alias in {row.id, *row.aliases}
    ]
    assert len(spellings) == len(set(spellings))


def test_an_unknown_name_is_answered_with_the_nearest_names():
    with pytest.raises(InputError, match="h100-sxm5-80gb"):
        catalog.chip("H100-SXN")
    with pytest.raises(InputError, match="glam-64b-64e"):
        catalog.model("glam-64b")


def test_an_unpublished_peak_is_missing_not_zero():
    assert catalog.chip("tpu-v4").tdp_w is None
    with pytest.raises(MissingDataError, match="fp8"):
        catalog.chip("tpu-v4").peak_flop_per_s("fp8")


@pytest.mark.parametrize("row", catalog.chips(), ids=lambda row: row.id)
def test_watts_have_a_boundary_and_are_in_order(row):
    watts = (row.idle_w, row.min_w, row.mean_w, row.max_w)
    known = [power_w for power_w in watts if power_w is not None]
    assert known == sorted(known)
    assert (row.power_boundary is None) == (not known)
    if known:
        assert row.power_boundary is (Boundary.NODE if row.kind == "node" else Boundary.CHIP)
        assert row.power_scope
    if row.system_w is not None:
        assert row.system_scope
        assert known == [] or row.system_w > known[-1]


@pytest.mark.parametrize("row", catalog.chips(), ids=lambda row: row.id)
def test_a_mixed_or_unconfirmed_row_names_the_cells_from_memory(row):
    columns = set(vars(row)) | {"all"}
    assert set(row.unconfirmed_fields.split(";")) <= columns | {"none"}
    if row.status == "unconfirmed":
        assert row.unconfirmed_fields != "none"


def tables():
    return sorted(
        path.name
        for path in (files("energy.facts") / "data").iterdir()
        if path.name.endswith(".csv")
    )


@pytest.mark.parametrize("name", tables())
def test_every_table_of_facts_is_complete(name):
    """Each row has all its cells, a source, a year and a status; unknown is written out."""
    table = list(rows.rows(name, dict))
    assert table
    for row in table:
        year = row.get("year") or row["date"][:4]
        assert year == "unknown" or 1990 <= int(year) <= 2030, row


def table_of(text, monkeypatch, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    monkeypatch.setattr(rows, "files", lambda _package: tmp_path)
    return list(rows.rows("bad.csv", dict))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("id,source,status\na,,confirmed\n", "to be filled"),
        ("id,source,status\na,unknown,confirmed\n", "a source and a status"),
        ("id,source,status\na,paper,perhaps\n", "a source and a status"),
        ("id,source,status\na,paper,confirmed,more\n", "to be filled"),
    ],
)
def test_a_row_without_source_or_with_an_empty_cell_is_refused(
    text, complaint, monkeypatch, tmp_path
):
    with pytest.raises(InputError, match=complaint):
        table_of(text, monkeypatch, tmp_path)


def test_no_table_has_a_column_twice():
    for name in tables():
        header = next(csv.reader((files("energy.facts") / "data" / name).read_text().splitlines()))
        assert len(header) == len(set(header)), name
