"""A driver that is slow is no driver that hangs: it is read seldom, and the record says so."""

import time

import pytest

from energy.ledger import accounting
from energy.meters.base import BaseSource, Domain
from energy.sampler import calls
from energy.sampler.calls import Calls, Watched
from tests.energy.sampler.processes import Run
from tests.support.standin import nvml_environment

WATTS = 300.0
CALL_S = 1.2
"""Two boards take longer than a call that counts as hung."""


def test_boards_whose_driver_is_slow_are_read_seldom_and_all_the_time(tmp_path, library):
    assert 2 * CALL_S > calls.LIMIT_S
    slow = nvml_environment(library, DEVICES=2, SLOW_S=CALL_S, LOW_W=WATTS, HIGH_W=WATTS)
    run = Run(tmp_path, ["nvml"], slow)
    run.wait_for("s", 2)
    run.window()
    notes = run.end()
    assert "did not respond" not in notes
    assert run.rows("hung") == []
    assert run.rows("gap") == []
    interval_s = run.rows("header")[0]["interval_s"]
    assert interval_s >= 3 * 2 * CALL_S
    record = accounting.record(run.path, name="run", labels={}, notes=[])
    assert any("its driver takes 1.2 s a call: it is read every" in note for note in record.notes)
    for entry in (entry for entry in record.energy if entry.value is not None):
        read_s = entry.covered * record.elapsed_s.value
        assert read_s > interval_s / 2
        # A sample reads the boards one after the other, and dates them alike.
        slack_j = 2 * CALL_S * WATTS
        assert entry.low - slack_j <= WATTS * read_s <= entry.high + slack_j


class Slow(BaseSource):
    """A source of some boards, each of which takes its time."""

    name = "slow"

    def __init__(self, boards, call_s, method="power"):
        self._boards, self._call_s, self._method = boards, call_s, method

    def probe(self):
        time.sleep(self._boards * self._call_s)
        return [
            Domain(id=str(i), kind="gpu", boundary="chip", method=self._method, tick_s=0.1)
            for i in range(self._boards)
        ]

    def watts(self):
        for _ in range(self._boards):
            self.alive()
            time.sleep(self._call_s)
        return dict.fromkeys(map(str, range(self._boards)), 1.0)

    def poll_s(self):
        return 0.1

    def powers(self):
        return {"0": 1.0}

    def counters(self):
        return {"0": lambda: 1.0}


def test_a_slow_source_is_asked_for_nothing_but_its_joules_and_its_ticks_are_as_long(monkeypatch):
    monkeypatch.setattr(calls, "SLOW_CALL_S", 0.02)
    source = Watched(Slow(3, 0.03), Calls())
    domains = source.probe()
    assert source.takes_s >= 0.09
    assert source.poll_s() == pytest.approx(3 * source.takes_s)
    assert {domain.tick_s for domain in domains} == {source.poll_s()}
    assert all("a call: it is read every" in domain.note for domain in domains)
    assert source.powers() == source.counters() == source.states() == source.slowed_by() == {}


def test_a_quick_source_is_read_as_often_as_it_wants():
    source = Watched(Slow(3, 0.0), Calls())
    assert {(domain.tick_s, domain.note) for domain in source.probe()} == {(0.1, "")}
    assert (source.takes_s, source.poll_s(), source.powers()) == (0, 0.1, {"0": 1.0})
    assert source.counters()["0"]() == 1.0


def test_the_time_of_a_call_counts_from_the_one_before_it():
    made, begins = Calls(), []
    source = Slow(4, 0.001)

    def alive():
        made.alive()
        begins.append(made._current.begin_ns)

    source.alive = alive
    made.make("slow", source.watts)
    assert begins == sorted(set(begins))
    assert len(begins) == 4
    assert not made.is_reading()
