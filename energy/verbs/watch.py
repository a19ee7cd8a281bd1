"""`energy watch`: current readings of this machine's meters, in the terminal or for Prometheus."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from energy import units
from energy.errors import InputError, absent, reason
from energy.ledger.curve import Curve
from energy.meters import sources
from energy.meters.base import Domain
from energy.verbs.readings import Readings, curves_of

KEPT_S = 60.0
"""How long readings stay in memory."""


@dataclass
class Watch:
    """Reads all meters at an interval.

    Attributes:
        domains: what is metered, unreadable domains included.
        curves: joules against time, by domain.
    """

    domains: list[Domain] = field(default_factory=list)
    curves: dict[str, Curve] = field(default_factory=dict)
    _readings: list[Readings] = field(default_factory=list)

    def open(self) -> None:
        """Open all meters of this machine and take the first reading."""
        opened, self.domains = sources.open_sources("auto")
        self._readings = [Readings(source) for source in opened]
        self.curves = curves_of(self.domains)
        self.read()

    def read(self) -> None:
        """Take one reading of every meter."""
        for readings in self._readings:
            for name, joules in readings.joules().items():
                if name in self.curves:
                    self.curves[name].add(time.monotonic(), joules)
                    self.curves[name].forget(time.monotonic() - KEPT_S)

    def close(self) -> None:
        """Release the meters."""
        for readings in self._readings:
            readings.source.close()

    def joules(self, name: str) -> float | None:
        """Joules since the watch began; None if nothing was read."""
        return self.curves[name].spent_j()

    def watts(self, name: str, over_s: float = 2.0) -> float | None:
        """Mean watts over the last seconds; None before the second reading."""
        times = self.curves[name].times
        if len(times) < 2:
            return None
        stop_s = times[-1]
        start_s = max(times[0], stop_s - over_s)
        first, last = self.curves[name].at(start_s), self.curves[name].at(stop_s)
        if first is None or last is None or stop_s <= start_s:
            return None
        return (last - first) / (stop_s - start_s)


def rows(watch: Watch) -> list[dict[str, Any]]:
    """A row per domain: name, boundary, origin, within, watts, joules, why it is missing."""
    return [
        {
            "name": d.id,
            "boundary": d.boundary,
            "origin": d.origin,
            "within": d.within,
            "watts": watch.watts(d.id),
            "joules": watch.joules(d.id),
            "why": d.reason,
        }
        for d in watch.domains
    ]


def table(watch: Watch) -> Table:
    """The rows as a table for the terminal."""
    view = Table("meter", "power", "since start", "origin", "boundary", title="energy watch")
    for row in rows(watch):
        power = "" if row["watts"] is None else units.si(row["watts"], "W")
        spent = "" if row["joules"] is None else units.energy(row["joules"])
        name = f"  {row['name']}" if row["within"] else row["name"]
        state = f"missing ({row['why']})" if row["why"] else row["origin"]
        view.add_row(name, power, spent, state, row["boundary"])
    return view


def ticking(watch: Watch, interval_s: float, seconds: float | None) -> Iterator[None]:
    """Read at each interval until the time is up or Ctrl-C is pressed."""
    watch.open()
    stop_s = math.inf if seconds is None else time.monotonic() + seconds
    try:
        while (left_s := stop_s - time.monotonic()) > 0:
            time.sleep(min(interval_s, left_s))
            watch.read()
            yield
    except KeyboardInterrupt:
        return
    finally:
        watch.close()


def read(interval_s: float, seconds: float | None) -> list[dict[str, Any]]:
    """The rows after some seconds, or after two intervals."""
    return rows(_watched(Watch(), interval_s, seconds))


def _watched(watch: Watch, interval_s: float, seconds: float | None) -> Watch:
    for _ in ticking(watch, interval_s, seconds or 2 * interval_s):
        pass
    return watch


def show(interval_s: float, seconds: float | None, console: Console) -> None:
    """Show a live table; without a terminal, print the table once at the end."""
    watch = Watch()
    if not console.is_terminal:
        console.print(table(_watched(watch, interval_s, seconds)))
        return
    with Live(console=console, refresh_per_second=4) as live:
        for _ in ticking(watch, interval_s, seconds):
            live.update(table(watch))


def serve(port: int, interval_s: float, seconds: float | None, ready: Callable[[], object]) -> None:
    """Serve joules and watts to Prometheus at /metrics, on the loopback address only.

    Args:
        port: port of the server.
        interval_s: seconds between readings.
        seconds: how long; None for ever.
        ready: called when the server is up.

    Raises:
        MissingDataError: prometheus_client is not installed.
        InputError: the port is not free.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    except ImportError as error:
        raise absent("prometheus_client") from error
    watch = Watch()
    labels = ("device", "boundary", "origin", "within")

    class Collector:
        """Current readings, collected at each scrape."""

        def collect(self) -> Iterator[Any]:
            """Joules since the watch began and current watts; a missing meter has no sample."""
            joules = CounterMetricFamily("energy_joules", "Joules since the start", labels=labels)
            power = GaugeMetricFamily("energy_power_watts", "Current watts", labels=labels)
            for row in rows(watch):
                values = [row["name"], row["boundary"], row["origin"], row["within"] or ""]
                if row["joules"] is not None:
                    joules.add_metric(values, row["joules"])
                if row["watts"] is not None:
                    power.add_metric(values, row["watts"])
            yield from (joules, power)

    registry = CollectorRegistry()
    registry.register(Collector())
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise InputError(
            f"expected port {port} to be free",
            reason(error),
            "choose another with --prometheus",
        ) from error
    ready()
    for _ in ticking(watch, interval_s, seconds):
        pass
    server.shutdown()
    server.server_close()
    thread.join()
