"""While the machine sleeps counters go on: their joules count, and are compared with no power."""

import pytest

from tests.support.ledgers import domain, end, header, ns, record_of, sample

BASE_J = 22_795_000.0


def test_what_a_counter_counts_while_the_machine_sleeps_is_believed(tmp_path):
    slept = {"k": "clock", "m": ns(5.99), "utc": "", "why": "the machine slept", "s": 7200.0}
    rows = [sample(second, BASE_J + 300 * second) for second in range(6)]
    after = [sample(second, 144_000 + BASE_J + 300 * second) for second in range(6, 10)]
    run = record_of(tmp_path, [header([domain()]), *rows, slept, *after, end(9)])
    assert run.totals["chip"].value == pytest.approx(144_000 + 9 * 300)
    assert run.notes == ["segment 1: the machine slept (+7200 s)"]


def test_a_node_is_not_refused_for_what_a_board_counts_while_the_machine_sleeps(tmp_path):
    node = domain("node", method="power", kind="node", boundary="node", limit_w=0.0, meter="ipmi")
    rows = [sample(second, 1e6 + 300.0 * second, None) for second in range(12)]
    for row in rows:
        row["p"] = {"ipmi": [[0, 500.0]]}
    for row in rows[6:]:
        row["j"][0] += 108_000.0
    slept = {"k": "clock", "m": ns(5.99), "utc": "", "why": "the machine slept", "s": 7200.0}
    rows.insert(6, slept)
    run = record_of(tmp_path, [header([domain(), node]), *rows, end(11)])
    assert run.totals["node"].value is not None
    assert run.notes == ["segment 1: the machine slept (+7200 s)"]


@pytest.mark.parametrize(("watts", "disagree"), [(300.0, False), (500.0, True)])
def test_what_a_counter_counts_while_the_machine_sleeps_is_compared_with_no_power(
    tmp_path, watts, disagree
):
    """At 5.5 and at 9.2 s it sleeps for an hour, in which a board of 15 W spends 54 kJ."""
    awake_rows = [
        header([domain(low=0.93, high=1.07)]),
        *(sample(second, 300.0 * second, w=[watts]) for second in range(13)),
        end(12),
    ]
    for row in awake_rows:
        if "j" in row:
            row["j"] = [row["j"][0] + 54e3 * ((row["m"] > 5.5e9) + (row["m"] > 9.2e9))]
    slept = [
        {"k": "clock", "m": ns(second), "utc": "", "why": "the machine slept", "s": 3600.0}
        for second in (5.99, 9.99)
    ]
    awake_rows[7:7], awake_rows[12:12] = slept[:1], slept[1:]
    record = record_of(tmp_path, awake_rows)
    (entry,) = record.energy
    assert entry.value == pytest.approx(12 * 300 + 2 * 54e3)
    assert any("times its power" in note for note in record.notes) == disagree
