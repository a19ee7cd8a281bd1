"""Ticks of coarse counters are dated to a few milliseconds, with few polls."""

import random

import pytest

from energy.meters.ticks import Follower

START = 37_000_000
"""Nanoseconds of the first tick."""


def test_ticks_are_dated_by_their_rhythm_when_a_poll_comes_late():
    """A counter ticks every 100 ms at known moments; some polls come up to 40 ms late."""
    now = 0

    def joules():
        return float((now - START) // 100_000_000)

    follower = Follower(joules, lambda: now)
    late = [0, 0, 0, 40_000_000, 0, 25_000_000, 0]
    for index in range(3000):
        now = max(now, follower.due_ns) + (
            late[index % 7] if index > 400 and index % 50 == 3 else 0
        )
        follower.poll()
    errors = [
        (moment - START + 50_000_000) % 100_000_000 - 50_000_000
        for moment, _ in list(follower.points)[5:]
    ]
    assert max(map(abs, errors)) < 5_000_000


@pytest.mark.parametrize("period_ms", [20, 83.7, 100])
def test_the_rhythm_dates_a_tick_better_than_the_polls_that_observed_it(period_ms):
    """Polls are 2 to 3 ms apart, so their middle is up to 1.5 ms off; the rhythm does better."""
    now, period = 0, round(period_ms * 1e6)
    generator = random.Random(3)

    def joules():
        return float((now - START) // period)

    follower = Follower(joules, lambda: now)
    for _ in range(3000):
        now = max(now, follower.due_ns) + generator.randrange(1_000_000)
        follower.poll()
    half = period // 2
    errors = [(moment - START + half) % period - half for moment, _ in list(follower.points)[30:]]
    assert max(map(abs, errors)) < 1_200_000
    assert sum(map(abs, errors)) / len(errors) < 400_000


@pytest.mark.parametrize("period_ms", [25, 83.7, 100])
@pytest.mark.parametrize("jitter_ms", [0, 1, 5])
@pytest.mark.parametrize("late_ms", [0, 40])
def test_a_counter_that_ticks_unevenly_is_dated_and_its_steady_stretches_cost_few_polls(
    period_ms, jitter_ms, late_ms
):
    """For one minute, ticks come up to `jitter_ms` late and one poll in twenty up to `late_ms`."""
    now, polls, period, jitter = 0, 0, round(period_ms * 1e6), round(jitter_ms * 1e6)
    generator = random.Random(3)

    def true_ns(k):
        return START + k * period + random.Random(k).random() * jitter

    def joules():
        k = (now - START) // period
        return float(k if now >= true_ns(k) else k - 1)

    follower = Follower(joules, lambda: now)
    while now < 60e9:
        now = max(now, round(follower.due_ns - generator.random() * follower.slack_ns))
        now += generator.randrange(100_000)
        late = late_ms and generator.random() < 0.05
        now += generator.randrange(late_ms * 1_000_000) if late else 0
        follower.poll()
        polls += 1
    errors_ms = sorted(
        abs(moment - true_ns(int(k))) / 1e6 for moment, k in list(follower.points)[30:]
    )
    # Two polls are 2 ms apart, so their middle is at most 1 ms off.
    assert errors_ms[len(errors_ms) // 2] < 1 + jitter_ms / 3
    assert errors_ms[int(0.95 * len(errors_ms))] < 2 + 0.7 * jitter_ms
    if jitter_ms <= 1:
        assert polls / (60e9 / period) < 2  # per tick; following one closely takes three


@pytest.mark.parametrize("failing", [0.01, 0.05, 0.2])
def test_polls_that_fail_now_and_then_lose_few_ticks_and_date_the_others_as_well(failing):
    now, polls, period = 0, 0, 100_000_000
    generator = random.Random(5)

    def joules():
        if now > 3e9 and generator.random() < failing:
            return None
        return float((now - START) // period)

    follower, unseen_ns = Follower(joules, lambda: now), 0
    while now < 60e9:
        now = max(now, follower.due_ns) + generator.randrange(500_000)
        follower.poll()
        polls += 1
        if now > 3e9:
            unseen_ns = max(unseen_ns, now - follower.points[-1][0])
    errors_ns = [abs(moment - (START + k * period)) for moment, k in follower.points]
    assert unseen_ns < 6 * period
    assert max(errors_ns) < 5_000_000
    assert polls < 2 * 60e9 / period
