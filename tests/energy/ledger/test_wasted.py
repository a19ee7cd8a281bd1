"""What a run marks as wasted counts once, and no window outside of it is wasted."""

from itertools import compress, pairwise

from hypothesis import given
from hypothesis import strategies as st

from energy.ledger.segment import Segment
from energy.ledger.wasted import wasted_spans, wasted_windows
from energy.ledger.windows import Windows


def segment(steps, marks=(), **header):
    """Ten seconds; step k is the window from k - 1 to k, with a mark at its end."""
    rows = [
        {"m": round(step * 1e9) + 1, "kind": "step", "fields": {"step": step}} for step in steps
    ]
    windows = Windows.of(
        {"m0": (step - 1) * 10**9, "m1": step * 10**9, "name": "step", "phase": "compute"}
        for step in steps
    )
    return Segment(
        {"domains": [], **header}, times=[0.0, 10.0], windows=windows, marks=[*rows, *marks]
    )


def wasted(at_s, **fields):
    return {"m": round(at_s * 1e9), "kind": "wasted", "fields": fields}


def wasted_steps(segments):
    spans = wasted_spans(segments)
    return [
        round(end_s)
        for segment in segments
        for end_s in compress(segment.windows.ends, wasted_windows(segment, spans))
    ]


def test_a_skipped_step_is_wasted_and_no_other():
    run = segment(range(1, 9), [wasted(4.0, since_ns=3e9)])
    assert wasted_steps([run]) == [4]
    assert [(start, stop) for _, start, stop in wasted_spans([run])] == [(3.0, 4.0)]


def test_a_rollback_wastes_what_came_since_and_a_skip_within_it_counts_once():
    run = segment(range(1, 9), [wasted(5.0, since_ns=4e9), wasted(6.5, since_step=3)])
    assert wasted_steps([run]) == [4, 5, 6]
    ((_, start, stop),) = wasted_spans([run])
    assert (round(start, 6), stop) == (3.0, 6.5)


def test_a_rollback_reaches_back_into_the_attempt_before():
    first, second = segment(range(1, 5)), segment([5, 6], [wasted(6.5, since_step=2)])
    assert wasted_steps([first, second]) == [3, 4, 5, 6]


def test_a_resume_after_a_rollback_wastes_only_what_is_repeated():
    first = segment(range(1, 9), [wasted(5.5, since_ns=4e9)])
    assert wasted_steps([first, segment([], resume_at={"step": 7})]) == [5, 8]


def test_steps_that_ran_while_a_checkpoint_was_being_written_are_wasted_by_a_resume_from_it():
    def saving(kind, at_s):
        return {"m": round(at_s * 1e9), "kind": kind, "fields": {"step": 3}}

    both = [saving("captured", 3.1), saving("checkpoint", 5.5)]
    for marks in (both, [saving("checkpoint", 3.05), saving("captured", 3.1)]):
        first = segment(range(1, 9), marks)
        assert wasted_steps([first, segment([], resume_at={"step": 3})]) == [4, 5, 6, 7, 8]


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=6))
def test_wasted_stretches_never_overlap_and_never_leave_the_segment(pairs):
    marks = [wasted(max(pair), since_ns=min(pair) * 1e9) for pair in pairs]
    spans = [(start, stop) for _, start, stop in wasted_spans([segment([], marks)])]
    assert spans == sorted(spans)
    assert all(0 <= start < stop <= 10 for start, stop in spans)
    assert all(a[1] < b[0] for a, b in pairwise(spans))
