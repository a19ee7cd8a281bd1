"""Jumps of the wall clock and sleeps of the machine are recorded with their cause."""

from energy.sampler.clocks import Clocks


class Machine:
    """A machine whose clocks a test can move."""

    def __init__(self):
        self.awake_s, self.slept_s, self.set_s = 100.0, 0.0, 0.0

    def clocks(self):
        return Clocks(
            lambda: self.awake_s,
            lambda: self.awake_s + self.slept_s + self.set_s,
            lambda: self.awake_s + self.slept_s,
        )


def test_a_wall_clock_set_back_an_hour_and_a_sleep_are_recorded_with_their_cause():
    machine = Machine()
    clocks = machine.clocks()
    assert clocks.rows() == []
    machine.set_s = -3600.0
    assert [(row["why"], row["s"]) for row in clocks.rows()] == [
        ("the wall clock was set", -3600.0)
    ]
    machine.slept_s = 500.0
    assert [(row["why"], row["s"]) for row in clocks.rows()] == [("the machine slept", 500.0)]
    machine.awake_s += 61
    assert [row.get("why") for row in clocks.rows()] == [None]
