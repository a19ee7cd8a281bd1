"""Notes say what happened, in the number that happened, and nothing that is not so."""

import pytest

from tests.support.ledgers import domain, end, header, ns, old_domain, record_of, sample


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((3,), "a reading set aside: the device cannot have drawn what it shows, 200 J at 3.0 s"),
        ((3, 6), "2 readings set aside: the device cannot have drawn what they show, first 200 J"),
    ],
)
def test_a_note_on_one_reading_speaks_of_one(tmp_path, wrong, words):
    joules = [200.0 if second in wrong else 1e6 + 300.0 * second for second in range(10)]
    rows = [sample(second, value) for second, value in enumerate(joules)]
    (note,) = record_of(tmp_path, [header([domain()]), *rows, end(9)]).notes
    assert words in note


def test_a_late_sample_of_version_1_does_not_say_that_counters_went_on(tmp_path):
    late = {
        "k": "gap",
        "m": ns(20),
        "s": 15.0,
        "why": "the sampler was suspended or starved; counters went on",
    }
    rows = [sample(second, 300.0 * second) for second in (0, 1, 2, 3, 4, 20, 21, 22)]
    ledger = [header([old_domain(method="power")], v=1), *rows[:5], late, *rows[5:], end(22)]
    record = record_of(tmp_path, ledger)
    assert record.notes == ["segment 1: the sampler was suspended or starved (+15 s)"]
    assert record.energy[1].why == "the sampler was suspended or starved"


def test_a_ledger_without_an_end_does_not_claim_to_know_why(tmp_path):
    (note,) = record_of(tmp_path, [header([domain()]), sample(0, 0.0), sample(1, 300.0)]).notes
    assert "killed, or no row could be written any more" in note
