"""Local times: their zone, the hour that autumn shows twice, and the one that spring leaves out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from energy.errors import InputError


def zone_of(name: str | None) -> tzinfo:
    """The zone of a name; UTC without one.

    Raises:
        InputError: there is no such zone.
    """
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError("expected a time zone", str(name), "name one as Europe/Berlin") from error


def placed(moment: datetime, zone: tzinfo, after_s: float = -math.inf) -> datetime:
    """A local time in its zone.

    Of two equal times in autumn it is the second where only that one follows `after_s`. After
    2026-10-25T00:59:59Z, which is 02:59:59 of summer time, 02:00 in Berlin is that of winter time,
    01:00Z.

    Args:
        moment: without a zone.
        zone: of it.
        after_s: seconds since 1970 of the time before it.

    Raises:
        OverflowError, OSError: it has no seconds since 1970.
    """
    local = moment.replace(tzinfo=zone, fold=0)
    second = local.replace(fold=1)
    return second if local.timestamp() < after_s <= second.timestamp() else local


def shown(local: datetime) -> bool:
    """Whether the clocks of its zone show a local time: spring leaves an hour out."""
    first, second = local.replace(fold=0), local.replace(fold=1)
    return not first.timestamp() > second.timestamp()


def shown_twice(local: datetime) -> bool:
    """Whether the clocks of its zone show a local time twice, as they do in autumn."""
    first, second = local.replace(fold=0), local.replace(fold=1)
    return first.timestamp() < second.timestamp()
