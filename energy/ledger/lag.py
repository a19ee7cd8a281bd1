"""How late and how coarsely a sensor shows the power, by what is published and what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.ledger.both import Both
from energy.ledger.interpolation import Floats, Readings
from energy.ledger.lines import Row
from energy.ledger.plausible import limit_of
from energy.ledger.track import Track
from energy.meters.files import fact_rows

FEW_JUMPS = 3.0
"""Readings whose range is more than so many times their greatest change are smoothed."""

FAR = 0.1
"""A range of less than this share of the most power says nothing about the sensor."""

MIN_CHANGES = 20
"""With fewer changes of the readings there is no period to speak of."""

NEW_VALUES = 0.5
"""Share of the changes that must lead to a value that was not shown before. A load that turns on
and off, and a sensor without noise, show the same two values again and again."""

REGULAR = (0.6, 1.7)
"""Nineteen of twenty intervals of a regular sensor lie between these multiples of the median."""

RESOLVED = 1.5
"""A period of fewer intervals between readings is not resolved by them."""

CLOSEST = 0.02
"""Share of the readings of a counter that are closer than a tick, by errors of their dates."""

MOST_TICKS = 4.0
"""Readings that are further apart than so many published ticks are samples, not ticks."""

UNKNOWN = 2.0
"""A device whose limit is not known may draw so many times the most that was seen."""


@dataclass(frozen=True)
class Lag:
    """The lag of a sensor.

    Attributes:
        trail_s: seconds by which a reading that counts until the next one trails the power.
        edge_s: how precisely a step of power is dated then.
        window_s: the longest averaging window that the sensor may have.
        period_s: seconds between two looks: the period of the sensor or that of its readings.
        read_seldom: whether the sensor is updated more than twice between two readings.
    """

    trail_s: float
    edge_s: float
    window_s: float
    period_s: float
    read_seldom: bool = False

    @classmethod
    def of(cls, readings: Readings, most_w: float, tick_s: float, lag_s: float) -> Lag:
        """The lag of a sensor from its published one and its readings.

        The readings bound the averaging window. A mean over w that is updated every u changes by at
        most u/w of what the device can draw, so a greater change proves a shorter window. And
        readings that range far, but never change by much of that range, may be means over longer.
        Example: lag 0.125 s, period 0.1 s, readings every 0.1 s: a window of 25 ms and a delay of
        up to 0.1 s; readings trail by 0.156 s, and steps are dated to 0.15 s.

        Args:
            readings: watts.
            most_w: most that the device can draw.
            tick_s: published period of the sensor.
            lag_s: its published delay and window together.
        """
        times, watts = readings.times, readings.values
        whole = np.ones(max(0, len(times) - 1), dtype=bool)
        whole[readings.breaks - 1] = False
        intervals, changes = np.diff(times)[whole], np.abs(np.diff(watts))[whole]
        polled_s = float(np.median(intervals)) if len(intervals) else tick_s
        if (seen_s := period_s(times, watts)) > RESOLVED * polled_s:
            tick_s = max(tick_s, seen_s)
        delay_s = min(lag_s, tick_s)
        least_s = most_s = lag_s - delay_s
        jump_w = float(changes.max(initial=0.0))
        if jump_w > 0:
            allowed_s = (tick_s + polled_s) * most_w / jump_w
            if allowed_s < most_s:
                least_s, most_s = 0.0, allowed_s
            range_w = float(np.ptp(watts))
            if range_w > max(FEW_JUMPS * jump_w, FAR * most_w):
                most_s = max(most_s, min(allowed_s, (tick_s + polled_s) * range_w / jump_w))
        coarse_s = (tick_s + polled_s) / 2 + delay_s / 2
        return cls(
            trail_s=coarse_s + (least_s + most_s) / 4,
            edge_s=coarse_s + (most_s - least_s) / 4,
            window_s=most_s,
            period_s=max(tick_s, polled_s),
            read_seldom=2 * tick_s < polled_s,
        )


def lag_of(track: Track, domain: Row, most_w: float) -> Lag | None:
    """The lag of a domain that is read by power; None for all others."""
    if not isinstance(track, Both) and domain.get("method") != "power":
        return None
    tick_s = float(domain.get("tick_s") or 0.0)
    lag_s = domain.get("lag_s", 0.0)
    if not domain.get("meter"):  # version 1 did not say
        lag_s = tick_s + float(fact_rows("power_sensors.csv")[-1]["window_s"])
    return Lag.of(powers(track), most_w, tick_s, float(lag_s))


def powers(track: Track) -> Readings:
    """Readings of power; where joules are read, the means between those."""
    readings = (track.power if isinstance(track, Both) else track).readings()
    if readings.hold_s or len(readings.times) < 2:
        return readings
    watts = np.diff(readings.joules)
    watts /= np.diff(readings.times)
    # The mean across a break is none, so neither change to it nor from it counts.
    breaks = np.unique(np.concatenate((readings.breaks - 1, readings.breaks)))
    breaks = breaks[(breaks > 0) & (breaks < len(watts))]
    return Readings(readings.times[:-1], watts, readings.joules[:-1], breaks)


def most_w(track: Track, domain: Row) -> float:
    """Most watts that a device can draw; where its own limit is not known, twice what was seen.

    But never more than the limit of its kind.
    """
    if domain.get("limit_w"):
        return float(domain["limit_w"])
    seen_w = powers(track).values
    return min(limit_of(domain), UNKNOWN * float(seen_w.max(initial=0.0)))


def tick_s(track: Track, domain: Row) -> float:
    """Seconds between two ticks of a counter; the published ones unless its readings show others.

    The ticks around the edges of windows are in the ledger, so the closest of its readings are a
    tick apart.
    """
    published_s = float(domain.get("tick_s") or 0.0)
    intervals = np.diff(track.readings().times)
    if not published_s or len(intervals) < MIN_CHANGES:
        return published_s
    seen_s = float(np.quantile(intervals, CLOSEST, overwrite_input=True))
    return seen_s if seen_s < MOST_TICKS * published_s else published_s


def period_s(times: Floats, values: Floats) -> float:
    """Median seconds between two changes of the readings; 0 if they do not tell the period.

    A sensor with some noise shows a new value at each update, and the updates are regular. Powers
    of a load that change now and then are not.
    """
    changed = np.flatnonzero(np.diff(values)) + 1
    if len(changed) < MIN_CHANGES or len(np.unique(values[changed])) < NEW_VALUES * len(changed):
        return 0.0
    intervals = np.diff(times[changed])
    few, median, many = np.quantile(intervals, (0.05, 0.5, 0.95))
    regular = REGULAR[0] * median <= few and many <= REGULAR[1] * median
    return float(median) if regular else 0.0
