"""Whether a row of a ledger can be what a sampler wrote: its types, and numbers that can be true.

A row that cannot be read is left out, counted and noted. Of a header, which all later rows need,
what can be read is kept: a domain with a damaged number or word is one that was not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from energy.inputs import MOST_DEPTH, depth, is_number
from energy.ledger.devices import COUNTED, REASONS
from energy.ledger.lines import Row

MOST_NS = 2**63
"""Monotonic nanoseconds of three centuries."""

MOST_J = 1e18
"""Joules of a counter: three years of the electricity of a continent."""

MOST_S = 1e10
"""Seconds of anything."""

MOST_FACTOR = 1e6
"""A meter is wrong by less than a factor of this."""

DAMAGED = "its entry in the header of the ledger is damaged"
"""Why a domain was not read whose entry in a header cannot be."""

TEXTS = ("kind", "api", "method", "meter", "source", "reason", "fix", "note")
"""Fields of a domain that may be anything a person can read."""

NUMBERS = {"wrap_j": MOST_J, "tick_s": MOST_S, "lag_s": MOST_S, "limit_w": MOST_J}
"""Fields of a domain that are 0 or more and may be absent, with the most that they can be."""


def require(row: Row) -> None:
    """Check a row.

    Raises:
        ValueError, or another of `energy.ledger.lines.DAMAGE`: it cannot be read.
    """
    check = CHECKS.get(row["k"])
    if check is not None:
        check(row)


def header(row: Row) -> tuple[Row, bool]:
    """What can be read of a header, and whether all of it could be.

    Raises:
        ValueError: it has no list of domains.
    """
    if not isinstance(row["domains"], list):
        raise ValueError("no domains")
    domains = [_domain(entry, place) for place, entry in enumerate(row["domains"])]
    whole = {**row, "domains": _apart(domains)}
    whole |= {name: str(row.get(name, "")) for name in ("boot", "host") if not _text(row, name)}
    for name, valid in HEADER.items():
        if name in row and not valid(row[name]):
            del whole[name]
    same = all(whole.get(name) == value for name, value in row.items() if name != "domains")
    return whole, same and all(map(_is_within, row["domains"], whole["domains"]))


def _is_within(entry: Any, domain: Row) -> bool:
    """Whether all that an entry says is in the domain that was made of it."""
    return isinstance(entry, dict) and all(domain.get(name) == entry[name] for name in entry)


def _domain(entry: Any, place: int) -> Row:
    """A domain of a header as it stands, or one that was not read."""
    fields: Row = entry if isinstance(entry, dict) else {}
    texts = {name: fields[name] if _text(fields, name) else "" for name in TEXTS if name in fields}
    name = fields["id"] if _text(fields, "id") else f"device-{place}"
    within = fields["within"] if _text(fields, "within") else None
    if _is_readable(fields):
        known = {"api": "", "source": "", "reason": "", **fields, **texts}
        return {**known, "id": name, "within": within}
    unread = {"boundary": "chip", "origin": "missing", "low": 1.0, "high": 1.0}
    texts = {"api": "", "source": "", **texts, "reason": texts.get("reason") or DAMAGED}
    return {"id": name, "within": within, **unread, **texts}


def _is_readable(domain: Row) -> bool:
    """Whether the numbers and words of a domain are such as can be computed with."""
    from energy.quantity import Boundary, Origin  # with pydantic: not when a run starts

    low, high = domain.get("low"), domain.get("high")
    ends = is_number(low, 0, 1) and is_number(high, 1, MOST_FACTOR)
    words = _known(domain, "boundary", set(Boundary)) and _known(domain, "origin", set(Origin))
    numbers = all(
        is_number(domain[name], 0, most) for name, most in NUMBERS.items() if name in domain
    )
    read_by = _text(domain, "method") or domain.get("reason")
    return ends and words and numbers and bool(read_by) and _text(domain, "id")


def _apart(domains: list[Row]) -> list[Row]:
    """Domains of which none is within itself, or within one that is within it."""
    around = {domain["id"]: domain["within"] for domain in domains}
    for name in around:
        passed = {name}
        while (outer := around[name]) is not None and outer in around:
            if outer in passed:
                around[name] = None
                break
            passed.add(outer)
            name = outer
    return [{**domain, "within": around[domain["id"]]} for domain in domains]


def _text(row: Row, name: str) -> bool:
    return isinstance(row.get(name), str)


def _known(row: Row, name: str, words: Iterable[str]) -> bool:
    return _text(row, name) and row[name] in words


def _moment(value: Any) -> bool:
    return is_number(value, 0, MOST_NS)


def _scalars(value: Any) -> bool:
    """Whether a value is a table of texts, numbers and nothing deeper."""
    return isinstance(value, dict) and depth(value) == 1


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


HEADER: dict[str, Callable[[Any], bool]] = {
    "m": _moment,
    "interval_s": lambda value: is_number(value, 1e-3, MOST_S),
    "job": _scalars,
    "labels": _texts,
    "sync": lambda value: isinstance(value, str),
    "v": lambda value: is_number(value, 0, 100),
    "resume_at": lambda value: _scalars(value) and all(map(is_number, value.values())),
}
"""Fields of a header that may be absent, and what they must be."""


def _refuse_unless(valid: bool, what: str) -> None:
    if not valid:
        raise ValueError(what)


def _sample(row: Row) -> None:
    """Texts and lists are refused with a TypeError, by the comparisons."""
    _refuse_unless(0 <= row["m"] < MOST_NS, "moment")
    for values in (row["j"], row.get("w") or ()):
        for value in values:
            _refuse_unless(_reading(value), "reading")
    for age in row.get("a") or ():
        _refuse_unless(age is None or 0 <= age < 1e6 * MOST_S, "age")
    for polls in row["p"].values() if "p" in row else ():
        for age, *watts in polls:
            _refuse_unless(0 <= age < 1e6 * MOST_S, "age")
            for value in watts:
                _refuse_unless(_reading(value), "reading")


def _reading(value: Any) -> bool:
    """Whether a value can be a reading; what no device can show is set aside later, with a note."""
    return value is None or isinstance(value, float) or -MOST_J < value < MOST_J


def _ticks(row: Row) -> None:
    for points in row["j"].values():
        for moment, joules in points:
            _refuse_unless(_moment(moment) and is_number(joules, -MOST_J, MOST_J), "tick")


def _window(row: Row) -> None:
    _refuse_unless(0 <= row["m0"] <= row["m1"] < MOST_NS, "moments of a window")
    _refuse_unless(_text(row, "name") and _text(row, "phase"), "name of a window")


def _mark(row: Row) -> None:
    _refuse_unless(_moment(row["m"]), "moment")
    fields = row.get("fields", {})
    _refuse_unless(isinstance(fields, dict) and depth(fields) <= MOST_DEPTH, "fields")


def _attach(row: Row) -> None:
    _refuse_unless(_moment(row["m"]), "moment")
    _refuse_unless(_text(row["to"], "id") and _text(row["to"], "ledger"), "holder")


def _incident(row: Row) -> None:
    _refuse_unless(_moment(row["m"]), "moment")
    _refuse_unless(all(_text(row, name) for name in ("why", "meter") if name in row), "cause")
    _refuse_unless("s" not in row or is_number(row["s"], -MOST_S, MOST_S), "seconds")


def _state(row: Row) -> None:
    _refuse_unless(_moment(row["m"]), "moment")
    for facts in row["devices"].values():
        _refuse_unless(isinstance(facts, dict) and depth(facts) <= 3, "facts")
        _refuse_unless(all(is_number(facts[name]) for name in COUNTED if name in facts), "count")
        reasons = facts.get(REASONS, [])
        _refuse_unless(all(isinstance(reason, str) for reason in reasons), "reason")


def _end(row: Row) -> None:
    _refuse_unless(_moment(row["m"]) and _text(row, "why"), "end")


def _alive(row: Row) -> None:
    _refuse_unless(_moment(row["m"]), "moment")


CHECKS: dict[str, Callable[[Row], None]] = {
    "s": _sample,
    "t": _ticks,
    "window": _window,
    "mark": _mark,
    "attach": _attach,
    "clock": _incident,
    "gap": _incident,
    "hung": _incident,
    "lost_sampler": _incident,
    "state": _state,
    "end": _end,
    "alive": _alive,
}
"""The check of each kind of row; other kinds are left as they are."""
