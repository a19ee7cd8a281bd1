"""What failures cost: goodput, the best checkpoint interval, spare chips and the time lost.

Failures of a job come at random at the rate of its chips (MTBF of one chip / N). Each one throws
away the work since the last checkpoint and costs a restart, which may fail too; a failure for which
there is no spare waits for a repair. All of it has closed forms, which the tests compare with a
simulation:

- time of a run with a checkpoint after every tau seconds of work: Daly 2006, eq. 13 of "A higher
  order estimate of the optimum checkpoint interval for restart dumps", FGCS 22(3), 303-312;
- share of the time spent waiting for a spare: Erlang's loss formula (1917), which is valid for any
  distribution of the repair time.

Idle spares do not fail, and neither does a job that waits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.errors import InputError
from energy.shape import Number, plain

PARTS = ("training", "saving", "rework", "restarting", "waiting")

MOST_SPARES = 100_000


@dataclass(frozen=True, kw_only=True)
class Failures:
    """A job, how often its chips fail and what a failure costs; costs may be arrays.

    Attributes:
        chips: chips that the job needs.
        mtbf_chip_s: mean chip-seconds between failures that stop the job.
        save_s: seconds that a checkpoint stops training.
        restart_s: seconds from a failure to the next productive step.
        repair_s: mean seconds until a failed unit is a spare again.
        spares: units of spare chips.
        unit_chips: chips that leave the job together when one fails (8 for a node of 8).
    """

    chips: int
    mtbf_chip_s: Number
    save_s: Number
    restart_s: Number
    repair_s: Number = 0.0
    spares: int = 0
    unit_chips: int = 1

    def __post_init__(self) -> None:
        for name, least in (("chips", 1), ("spares", 0), ("unit_chips", 1)):
            if getattr(self, name) < least:
                raise InputError(f"expected {name} of {least} or more", str(getattr(self, name)))
        if np.any(np.asarray(self.mtbf_chip_s) <= 0):
            raise InputError("expected a time between failures above 0", str(self.mtbf_chip_s))
        for name in ("save_s", "restart_s", "repair_s"):
            if np.any(np.asarray(getattr(self, name)) < 0):
                raise InputError(f"expected {name} of 0 or more", str(getattr(self, name)))

    @property
    def mtbf_s(self) -> Number:
        """Mean seconds between failures of the job: 50,700 h / 16,384 chips = 3.09 h."""
        return self.mtbf_chip_s / self.chips

    def shares(self, interval_s: Number) -> dict[str, Number]:
        """Shares of the elapsed time, by the names of `PARTS`; they sum to 1.

        Of the time in which the job has its chips, tau / (M e^(R/M) (e^((tau + delta)/M) - 1)) is
        training, for tau seconds of training between checkpoints of delta seconds, MTBF M and
        restart time R. 16,384 chips at 50,700 h, checkpoints of 60 s every 1,117 s, no restart
        time: 0.8998 training, 0.0484 saving, 0.0519 rework.

        Args:
            interval_s: seconds of training between checkpoints, above 0.
        """
        with np.errstate(over="ignore"):
            stretched = np.expm1((np.asarray(interval_s) + self.save_s) / self.mtbf_s)
            elapsed_s = self.mtbf_s * np.exp(self.restart_s / self.mtbf_s) * stretched
            training = interval_s / elapsed_s
        saving = training * self.save_s / interval_s
        restarting = -np.expm1(-np.asarray(self.restart_s) / self.mtbf_s)
        # The rest is work done again; rounding must not make it negative.
        rework = np.maximum(0.0, 1.0 - training - saving - restarting)
        waiting = self.waiting()
        running = 1.0 - np.asarray(waiting)
        shares = (training, saving, rework, restarting)
        parts = {name: plain(running * share) for name, share in zip(PARTS, shares, strict=False)}
        return parts | {"waiting": waiting}

    def goodput(self, interval_s: Number) -> Number:
        """Training time over elapsed time."""
        return self.shares(interval_s)["training"]

    def waiting(self) -> Number:
        """Share of the elapsed time without enough chips.

        Broken units are customers of spares + 1 servers; the job stops when all servers are busy.
        """
        return erlang_loss(self.spares + 1, self.repair_s / self.mtbf_s)

    def best_interval_s(self) -> Number:
        """Seconds of training between checkpoints that lose the least time.

        The minimum of Daly's eq. 13: (1 - x) e^x = e^(-delta/M) with x = tau / M. It depends on
        neither restarts nor spares. Checkpoints of 60 s, a failure every 3.09 h: 1,117 s (Young:
        1,156 s).
        """
        return _best_interval_s(self.save_s, self.mtbf_s)


def young_s(save_s: Number, mtbf_s: Number) -> Number:
    """The first-order best interval, sqrt(2 delta M): Young, CACM 17(9), 1974.

    >>> round(young_s(60, 50_700 / 16_384 * 3600))
    1156
    """
    return plain(np.sqrt(2 * np.asarray(save_s) * mtbf_s))


def daly_s(save_s: Number, mtbf_s: Number) -> Number:
    """The higher-order best interval of Daly 2006, eq. 37.

    sqrt(2 delta M) [1 + 1/3 sqrt(delta / 2M) + 1/9 (delta / 2M)] - delta while delta < 2M, else
    M. delta 300 s, M 6 h: 3,600 x (1 + 0.02778 + 0.00077) - 300 = 3,403 s.

    >>> round(daly_s(300, 6 * 3600))
    3403
    """
    small = np.asarray(save_s) / (2 * np.asarray(mtbf_s))
    series = young_s(save_s, mtbf_s) * (1 + np.sqrt(small) / 3 + small / 9) - save_s
    return plain(np.where(small < 1, series, mtbf_s))


def erlang_loss(servers: int, load: Number) -> Number:
    """Share of time in which all servers are busy: Erlang's B(servers, load); B(5, 3) = 0.110.

    >>> round(erlang_loss(5, 3.0), 3)
    0.11

    Args:
        servers: how many, 1 or more.
        load: mean arrivals during one service.
    """
    blocked = np.ones_like(np.asarray(load, dtype=float))
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return plain(blocked)


def fewest_spares(load: float, most_waiting: float) -> int:
    """The fewest spare units with which the job waits for at most a share of its time.

    7.8 broken units on average (16,384 chips, 50,700 h, repairs of 24 h) and 0.1 %: 17.

    >>> fewest_spares(24 * 16_384 / 50_700, 0.001)
    17

    Args:
        load: mean number of broken units.
        most_waiting: largest acceptable share of the time, between 0 and 1.

    Raises:
        InputError: the share is out of its range, or fewer than `MOST_SPARES` spares do not do.
    """
    if not 0 < most_waiting < 1:
        raise InputError("expected a share of waiting between 0 and 1", f"{most_waiting:g}")
    blocked = load / (1 + load)
    for spares in range(MOST_SPARES):
        if blocked <= most_waiting:
            return spares
        blocked = load * blocked / (spares + 2 + load * blocked)
    raise InputError(
        "expected failures that spares can compensate", f"{load:,.0f} broken units at a time"
    )


def _best_interval_s(save_s: Number, mtbf_s: Number) -> Number:
    """Solve (1 - x) e^x = e^-d for x in 0..1 by bisection and return x M; d = delta / M."""
    ratio = np.asarray(save_s, dtype=float) / mtbf_s
    low, high = np.zeros_like(ratio), np.ones_like(ratio)
    for _ in range(60):
        middle = (low + high) / 2
        # log1p keeps the precision of small x: ln(1 - x) + x = -d.
        with np.errstate(divide="ignore"):
            above = np.log1p(-middle) + middle < -ratio
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return plain((low + high) / 2 * mtbf_s)
