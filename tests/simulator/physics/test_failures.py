"""What failures cost: laws, published intervals, and a simulation as the oracle."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from energy.errors import InputError
from simulator.physics.failures import PARTS, Failures, daly_s, erlang_loss, fewest_spares, young_s

seconds = st.floats(1, 1e4)
jobs = st.builds(
    Failures,
    chips=st.integers(1, 100_000),
    mtbf_chip_s=st.floats(1e7, 1e10),
    save_s=st.floats(0.1, 1e3),
    restart_s=st.floats(0, 3600),
    repair_s=st.floats(0, 1e6),
    spares=st.integers(0, 50),
    unit_chips=st.sampled_from([1, 8]),
)
LLAMA = Failures(chips=16_384, mtbf_chip_s=50_700 * 3600, save_s=60, restart_s=0)


@given(jobs, seconds)
def test_the_parts_are_shares_of_the_elapsed_time(job, interval_s):
    shares = job.shares(interval_s)
    assert tuple(shares) == PARTS
    assert all(0 <= share <= 1 for share in shares.values())
    # A job that never finishes any work has no meaningful shares.
    if shares["training"] > 1e-9:
        assert sum(shares.values()) == pytest.approx(1, abs=1e-9)


@given(jobs, st.floats(0.01, 100))
def test_no_interval_beats_the_best_one(job, factor):
    best = job.best_interval_s()
    assert job.goodput(best * factor) <= job.goodput(best) * (1 + 1e-9)


@given(jobs, seconds, st.floats(1.01, 10))
def test_goodput_never_rises_when_anything_gets_worse(job, interval_s, factor):
    before = job.goodput(interval_s)
    assume(before > 1e-9)
    for name, worse in (
        ("chips", math.ceil(job.chips * factor)),
        ("mtbf_chip_s", job.mtbf_chip_s / factor),
        ("save_s", job.save_s * factor),
        ("restart_s", job.restart_s * factor),
        ("repair_s", job.repair_s * factor),
    ):
        after = Failures(**{**vars(job), name: worse}).goodput(interval_s)
        assert after <= before * (1 + 1e-9)


@given(jobs)
def test_a_spare_never_makes_the_job_wait_longer(job):
    more = Failures(**{**vars(job), "spares": job.spares + 1})
    assert more.waiting() <= job.waiting()


@given(st.floats(1e-9, 1e-4), st.floats(1e2, 1e9))
def test_rare_failures_give_the_intervals_of_young_and_daly(ratio, mtbf_s):
    save_s = ratio * mtbf_s
    job = Failures(chips=1, mtbf_chip_s=mtbf_s, save_s=save_s, restart_s=0)
    best = job.best_interval_s()
    assert best == pytest.approx(young_s(save_s, mtbf_s), rel=2 * math.sqrt(ratio))
    assert best == pytest.approx(daly_s(save_s, mtbf_s), rel=1e-5)


@given(st.floats(1e-7, 1e-5), st.floats(0, 1e-3), st.floats(0.3, 3))
def test_rare_failures_give_the_first_order_goodput(ratio, restart, factor):
    mtbf_s = 1e6
    save_s, restart_s = ratio * mtbf_s, restart * mtbf_s
    job = Failures(chips=1, mtbf_chip_s=mtbf_s, save_s=save_s, restart_s=restart_s)
    interval_s = factor * job.best_interval_s()
    # Young 1974: each cost by itself, to first order.
    expected = 1 - save_s / interval_s - interval_s / (2 * mtbf_s) - restart_s / mtbf_s
    assert job.goodput(interval_s) == pytest.approx(expected, abs=(10 * ratio**0.5 + restart) ** 2)


def test_a_job_that_never_fails_only_pays_for_checkpoints():
    job = Failures(chips=1, mtbf_chip_s=1e30, save_s=60, restart_s=600, repair_s=1e5)
    assert job.shares(1140.0)["training"] == pytest.approx(1140 / 1200)
    assert job.shares(1140.0)["waiting"] == pytest.approx(0, abs=1e-12)


# (1 - x) e^x = e^-d: choose x, compute d = -ln(1 - x) - x, and solve for x again.
@given(st.floats(1e-6, 0.999))
def test_the_best_interval_solves_its_equation(x):
    d = -math.log1p(-x) - x
    assume(d > 1e-12)
    job = Failures(chips=1, mtbf_chip_s=1.0, save_s=d, restart_s=0)
    assert job.best_interval_s() == pytest.approx(x, rel=1e-4)


# Daly 2006, FGCS 22, eq. 37, worked by hand; Young 1974. Llama 3 405B (arXiv:2407.21783): 419
# unexpected failures of 16,384 GPUs in 54 days; more than 90 % effective training time.
def test_intervals_and_goodput_match_published_figures():
    assert young_s(60, 11_160) == pytest.approx(1157, abs=0.5)
    assert daly_s(300, 6 * 3600) == pytest.approx(3600 * (1 + 1 / 36 + 1 / 1296) - 300)
    assert daly_s(300, 100) == 100
    assert LLAMA.mtbf_s / 3600 == pytest.approx(3.09, abs=0.005)
    assert LLAMA.best_interval_s() == pytest.approx(1116.6, abs=0.1)
    assert LLAMA.shares(LLAMA.best_interval_s()) == pytest.approx(
        {"training": 0.8998, "saving": 0.0484, "rework": 0.0519, "restarting": 0, "waiting": 0},
        abs=1e-4,
    )
    ten_seconds = Failures(chips=16_384, mtbf_chip_s=50_700 * 3600, save_s=10, restart_s=180)
    assert ten_seconds.goodput(ten_seconds.best_interval_s()) > 0.9


# Erlang B from printed tables: B(1, 1) = 1/2, B(2, 1) = 1/5, B(5, 3) = 0.1101, B(10, 5) = 0.0184.
def test_the_loss_formula_matches_printed_tables():
    computed = [erlang_loss(*row) for row in ((1, 1.0), (2, 1.0), (5, 3.0), (10, 5.0))]
    assert computed == pytest.approx([0.5, 0.2, 0.1101, 0.0184], abs=5e-5)


@given(st.floats(1e-3, 50), st.floats(1e-6, 0.5))
def test_the_fewest_spares_are_enough_and_one_fewer_is_not(load, most):
    spares = fewest_spares(load, most)
    assert erlang_loss(spares + 1, load) <= most
    if spares:
        assert erlang_loss(spares, load) > most


@pytest.mark.parametrize(
    ("save_s", "restart_s", "interval_s"), [(60, 600, 1200), (300, 1800, 3000), (5, 20, 9000)]
)
def test_a_simulated_job_spends_its_time_as_computed(save_s, restart_s, interval_s):
    mtbf_s, segments = 7200.0, 40_000
    spent = simulated(np.random.default_rng(1), mtbf_s, save_s, restart_s, interval_s, segments)
    job = Failures(chips=1, mtbf_chip_s=mtbf_s, save_s=save_s, restart_s=restart_s)
    shares = job.shares(interval_s)
    whole = sum(spent.values())
    for name in ("training", "saving", "rework", "restarting"):
        assert spent[name] / whole == pytest.approx(shares[name], rel=0.02)


def simulated(generator, mtbf_s, save_s, restart_s, interval_s, segments):
    """Seconds by part of a job that is simulated event by event."""
    spent = dict.fromkeys(PARTS[:4], 0.0)
    for _ in range(segments):
        while True:
            fails_s = generator.exponential(mtbf_s)
            if fails_s >= interval_s + save_s:
                spent["training"] += interval_s
                spent["saving"] += save_s
                break
            spent["rework"] += fails_s
            while (fails_s := generator.exponential(mtbf_s)) < restart_s:
                spent["restarting"] += fails_s
            spent["restarting"] += restart_s
    return spent


@pytest.mark.parametrize("repair", ["same", "exponential"])
def test_a_simulated_pool_of_spares_is_empty_as_often_as_computed(repair):
    generator, mtbf_s, repair_s, spares = np.random.default_rng(2), 10.0, 25.0, 3
    now = waited = 0.0
    back: list[float] = []
    for _ in range(100_000):
        now += generator.exponential(mtbf_s)
        back = [end for end in back if end > now]
        back.append(now + (repair_s if repair == "same" else generator.exponential(repair_s)))
        if len(back) > spares:
            waited += min(back) - now
            now = min(back)
            back.remove(now)
    job = Failures(
        chips=1, mtbf_chip_s=mtbf_s, save_s=0, restart_s=0, repair_s=repair_s, spares=spares
    )
    assert waited / now == pytest.approx(job.waiting(), rel=0.02)


@pytest.mark.parametrize(
    "invalid", [{"chips": 0}, {"spares": -1}, {"mtbf_chip_s": 0.0}, {"save_s": -1.0}]
)
def test_impossible_values_are_refused(invalid):
    with pytest.raises(InputError):
        Failures(**{**vars(LLAMA), **invalid})
