"""The cases of odd readings and of bands: they contain what they claim to, and are judged."""

import pytest

from benchmarks.meters import bands, impossible, kills, odd_scenes
from benchmarks.meters.judge import SoundBand, by_kind
from benchmarks.meters.unread import METERS
from benchmarks.meters.virtual.metering import Life


@pytest.mark.parametrize("kinds", [odd_scenes.IMPOSSIBLE, odd_scenes.TRUE], ids=["odd", "true"])
def test_every_kind_of_reading_is_judged_on_every_meter_it_can_come_from(kinds, library):
    cases = impossible.cases(kinds, 60)
    assert {case.kind for case in cases} == set(kinds)
    for case in cases[: sum(len(meters) for _, meters in kinds.values())]:
        wrong = impossible.judge(case, library)
        assert [words for words in wrong if "half width" not in words] == [], case.name


def test_a_jump_that_is_believed_or_not_noted_is_seen():
    entry = {
        "device": METERS["counter"].device,
        "origin": "measured",
        "value": 93_000.0,
        "low": 86_000.0,
        "high": 100_000.0,
        "covered": 1.0,
        "why": None,
    }
    scene = odd_scenes.Scene({}, Life(begin_s=0.0, end_s=10.0), entry["device"], 300.0)
    scene.notes = odd_scenes.NOTED
    record = {"energy": [entry], "elapsed_s": {"value": 10.0}, "notes": []}
    words = " ".join(impossible._wrong(record, scene, SoundBand(5.0, 21.0)))
    assert "for 3000 J" in words
    assert "no note" in words


def test_rows_of_bands_have_windows_of_every_length_and_both_kinds_of_boards(library):
    assert {row.counts for row in bands.ROWS} == {True, False}
    assert len(bands.ROWS) * bands.BANDS_A_ROW == 600
    row = bands.Row("counter", "training loop")
    measured = bands.measured(row, library, count=25)
    assert set(bands.WIDTHS_S) <= {round(band.length_s, 6) for band in measured}
    assert all(band.exact_j > 0 for band in measured)
    assert bands.median_half_width(measured, 5.0) < 0.12


def test_kills_have_as_many_instants_as_they_claim():
    cases = kills.cases(200)
    assert 200 <= sum(case.kills for case in cases) <= 202
    pairs = {(case.victim, case.board) for case in cases}
    assert len(pairs) == len(kills.VICTIMS) * len(kills.BOARDS)


def test_a_case_counts_once_for_each_kind_of_problem():
    assert by_kind([[], []]) == {}
