"""The picture of power over time has a gap where a board was not read, and not 0 W."""

import math

from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.reports.plots import _power
from tests.support.ledgers import domain, end, header, record_of, sample


def test_power_over_time_has_a_gap_where_a_board_was_not_read(tmp_path):
    lost = domain("gpu-1", reason="no permission")
    rows = [sample(s, 1e6 + 300.0 * s if s < 5 else None, None) for s in range(9)]
    record_of(tmp_path, [header([domain(), lost]), *rows, end(8)])
    (segment,) = ledger.segments(tmp_path / FILE)
    edges, watts = _power(segment)
    assert edges == [0, 1, 2, 3, 4, 5, 6, 7, 8], "a run of one interval is a line and no point"
    assert [round(w) for w in watts[:5]] == [300] * 5
    assert all(math.isnan(w) for w in watts[5:])
