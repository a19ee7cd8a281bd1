"""What an attempt lost when it died, and that productive and lost joules make up the devices'."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.ledger.lines import FILE
from energy.ledger.merge import merge
from energy.record import RunRecord
from tests.support import ledgers
from tests.support.standin import write_ledger

WATTS, FLOP, TOKENS = 300.0, 1e12, 64


def mark(kind, second, **fields):
    return {"k": "mark", "m": ledgers.ns(second), "kind": kind, "fields": fields}


def attempt(rank, name, start, stop, *, saved=(), died=True, ranks=2, launcher=True, **header):
    """One attempt of one rank: a step each second, a checkpoint after some of them."""
    place = {"rank": rank, "ranks": ranks, "local_rank": rank, "local_ranks": ranks}
    job = {"launcher": "torchrun", "id": "night", "scheduler": "torchrun", "attempt": name}
    rows = [
        ledgers.header(
            [ledgers.domain(f"gpu-{i}") for i in range(ranks)],
            id=f"{rank}-{name}",
            job={**job, **place} if launcher else {},
            utc=f"2026-01-01T00:{start // 60:02}:{start % 60:02}+00:00",
            m=ledgers.ns(start),
            **header,
        )
    ]
    for second in range(start, stop + 1):
        rows.append(ledgers.sample(second, *[WATTS * second] * ranks))
        if second > start:
            rows.append(ledgers.window("step", second - 1, second - 0.01))
            rows.append(mark("flop", second - 0.005, count=FLOP))
            rows.append(mark("tokens", second - 0.005, count=TOKENS))
        if second in saved:
            rows.append(mark("checkpoint", second, step=second))
    ended = {**ledgers.end(stop), "why": "parent died" if died else "closed"}
    return [*rows, ended]


def job_of(folder, ranks):
    for number, attempts in enumerate(ranks):
        (folder / f"rank-{number}").mkdir(parents=True)
        write_ledger(folder / f"rank-{number}" / FILE, [row for rows in attempts for row in rows])
    return merge([folder], "job")


def adds_up(run):
    """Joules and seconds of the attempts make up the devices', and their waste is the record's."""
    total = sum(attempt.energy_j.value for attempt in run.attempts)
    assert total == pytest.approx(run.totals["chip"].value, rel=1e-9)
    assert sum(a.elapsed_s.value for a in run.attempts) == pytest.approx(run.elapsed_s.value)
    lost = sum(a.wasted_j.value for a in run.attempts)
    assert lost == pytest.approx(run.wasted.energy_j.value, rel=1e-9)
    assert all(a.wasted_j.value <= a.energy_j.value * (1 + 1e-9) for a in run.attempts)
    assert sum(a.wasted_s.value for a in run.attempts) == pytest.approx(run.wasted.elapsed_s.value)


def test_what_came_after_the_last_checkpoint_of_an_attempt_that_died_is_wasted(tmp_path):
    run = job_of(
        tmp_path,
        [
            [attempt(r, 0, 0, 10, saved=[3, 6]), attempt(r, 1, 12, 20, saved=[14], died=False)]
            for r in range(2)
        ],
    )
    adds_up(run)
    first, second = run.attempts
    assert (first.name, first.died, first.ranks) == ("0", True, 2)
    assert (second.name, second.died, second.wasted_j.value) == ("1", False, 0)
    assert first.wasted_j.value == pytest.approx(2 * WATTS * 4)
    assert first.wasted_s.value == pytest.approx(4)
    assert first.wasted_flop.value == 2 * 4 * FLOP
    assert run.wasted.model_flop.value == 2 * 4 * FLOP
    assert run.model_flop.value == 2 * (6 + 8) * FLOP
    assert run.tokens.value == 2 * (6 + 8) * TOKENS
    assert run.metrics["goodput"].value == pytest.approx(1 - 4 / 18)
    assert not any("resume_at" in note for note in run.notes)
    assert RunRecord.model_validate_json(run.model_dump_json()) == run


def test_a_checkpoint_that_was_on_disk_some_steps_later_has_the_state_of_its_own_step(tmp_path):
    rows = attempt(0, 0, 0, 10, ranks=1)
    steps = [mark("step", second, step=second) for second in range(1, 11)]
    rows[1:-1] = sorted(
        [*rows[1:-1], *steps, mark("checkpoint", 8.5, step=6)],
        key=lambda r: r.get("m", r.get("m1", 0)),
    )
    (first,) = job_of(tmp_path, [[rows]]).attempts
    assert first.wasted_s.value == pytest.approx(10 - 6)
    assert first.wasted_flop.value == 4 * FLOP


def test_what_was_counted_after_the_last_sample_of_an_attempt_that_died_is_lost(tmp_path):
    rows = attempt(0, 0, 0, 10, saved=[6], ranks=1)
    rows.insert(-1, mark("flop", 10.4, count=FLOP))
    run = job_of(tmp_path, [[rows]])
    assert run.attempts[0].wasted_flop.value == (4 + 1) * FLOP
    assert run.model_flop.value == 6 * FLOP


def test_the_last_attempt_loses_too_if_it_died_and_one_that_saved_nothing_is_not_guessed(tmp_path):
    run = job_of(tmp_path / "a", [[attempt(0, 0, 0, 10, saved=[6], ranks=1)]])
    assert run.attempts[0].wasted_j.value == pytest.approx(WATTS * 4)
    attempts = [attempt(0, 0, 0, 10, ranks=1), attempt(0, 1, 12, 20, died=False, ranks=1)]
    run = job_of(tmp_path / "b", [attempts])
    adds_up(run)
    assert run.wasted.energy_j.value == 0
    assert any("did not say from where (resume_at)" in note for note in run.notes)


def test_where_an_attempt_says_that_it_resumes_counts_before_its_checkpoints(tmp_path):
    later = attempt(0, 1, 12, 20, died=False, ranks=1, resume_at={"step": 3})
    run = job_of(tmp_path, [[attempt(0, 0, 0, 10, saved=[3, 6], ranks=1), later]])
    assert run.attempts[0].wasted_j.value == pytest.approx(WATTS * 7)


def test_a_run_that_no_launcher_counts_has_no_attempts(tmp_path):
    run = job_of(tmp_path, [[attempt(0, 0, 0, 10, saved=[6], launcher=False)]])
    assert run.attempts == []
    assert "goodput" not in run.metrics


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.integers(2, 8), st.integers(0, 3), st.booleans(), st.integers(0, 3)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 3),
)
def test_productive_and_wasted_make_up_the_devices_however_often_it_dies(
    tmp_path_factory, plans, ranks
):
    """Ranks may outlive an attempt into the next one, by seconds."""
    ledgers_of_ranks = [[] for _ in range(ranks)]
    start = 0
    for name, (seconds, pause, saves, longer) in enumerate(plans):
        last = name == len(plans) - 1
        for rank in range(ranks):
            stop = start + seconds + (longer if rank else 0)
            saved = [start + 1] if saves else []
            rows = attempt(rank, name, start, stop, saved=saved, died=not last, ranks=ranks)
            ledgers_of_ranks[rank].append(rows)
        start += seconds + pause
    adds_up(job_of(tmp_path_factory.mktemp("job"), ledgers_of_ranks))
