"""A tracker without meters, of the interface that the trainer uses, for tests of the trainer."""

import json
import time
from contextlib import contextmanager
from types import SimpleNamespace

from energy import Quantity, RunRecord
from energy.quantity import Origin
from energy.record import nothing_wasted


class TrackerStandIn:
    def __init__(self, out, *, name, labels, sync=None, resume_at=None):
        self.out, self.name, self.labels, self.resume_at = out, name, labels, resume_at
        self.begun = time.monotonic()

    def __enter__(self):
        self.out.mkdir(parents=True, exist_ok=True)
        self.ledger = (self.out / "ledger.jsonl").open("a")
        return self

    def __exit__(self, *_):
        self.ledger.close()

    @contextmanager
    def window(self, name, phase="compute"):
        yield
        self._line({"window": name, "phase": phase})

    def mark(self, kind, **fields):
        self._line({"mark": kind, **fields})

    def snapshot(self):
        none = Quantity.absent("J", "no meter")
        return SimpleNamespace(elapsed_s=time.monotonic() - self.begun, energy=none, power_w=none)

    def record(self, **given):
        absent = {
            name: Quantity.absent(unit, "no meter")
            for name, unit in {"chip_s": "s", "co2_location_g": "g", "co2_market_g": "g",
                               "co2_embodied_g": "g", "water_l": "L", "cost_usd": "USD"}.items()
        }  # fmt: skip
        elapsed = Quantity.exact(time.monotonic() - self.begun, "s", "clock")
        wasted = nothing_wasted("stand-in", Origin.MEASURED)
        return RunRecord(kind="measured", labels=self.labels, elapsed_s=elapsed, wasted=wasted,
                         **{**absent, **given})  # fmt: skip

    def _line(self, row):
        self.ledger.write(json.dumps(row) + "\n")
        self.ledger.flush()
