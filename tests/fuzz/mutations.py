"""Changes of a valid file as users, disks and other programs make them, drawn with a seed.

Nothing here is aimed at a library: bytes flip at random, and values change as a user's may.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

NUMBERS: tuple[float | int, ...] = (
    -1,
    0,
    -0.0,
    1e-300,
    1e300,
    -1e300,
    10**400,
    2**63,
    -(2**63),
    float("nan"),
    float("inf"),
    float("-inf"),
    0.5,
    1e9,
)

OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    "",
    "NaN",
    "ten",
    "-5",
    "\x1b[31m",
    "ü" * 300,
    [],
    {},
    [[]],
    {"a": {"b": 1}},
    "../../etc",
    "$x_{1}$",
)

WORDS = (
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e400",
    "1e300",
    "-0",
    "ten",
    "",
    " ",
    "1,5",
    "0x10",
    "1_000",
    "é",
    "True",
    "null",
    "9" * 400,
    "2025-13-45",
    '"',
    "$^{",
    "[N/A]",
    "1e-320",
)

DEPTH = 3000
"""Brackets of a value that is nested too deeply: three times what Python's parsers take."""

Value = Any


def mutated(content: bytes, kind: str, random: Random) -> bytes:
    """A file with one to three changes.

    Args:
        content: of the valid file.
        kind: json, jsonl, toml, csv or bytes.
        random: what is drawn.
    """
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        typed = {"json": _json, "jsonl": _json_line, "toml": _toml, "csv": _cell}.get(kind)
        general = (_flip, _cut, _lines, _envelope)
        change = typed if typed and random.random() < 0.6 else random.choice(general)
        content = change(content, random)
    return content


def misplaced(path: Path, random: Random) -> None:
    """Put something else where a file is expected: a folder, a loop of links, an endless file."""
    path.unlink(missing_ok=True)
    kind = random.randrange(5)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path.name)
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to("/proc/self/mem")
    # else: nothing stands there


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 4, 32))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def _lines(content: bytes, random: Random) -> bytes:
    """Lines dropped, doubled, exchanged, or all shuffled."""
    lines = content.splitlines(keepends=True)
    if len(lines) < 2:
        return content + content
    a, b = sorted(random.sample(range(len(lines)), 2))
    kind = random.randrange(5)
    if kind == 0:
        del lines[a : min(b, a + 20)]
    elif kind == 1:
        lines[a:a] = lines[a : min(b, a + 20)]
    elif kind == 2:
        lines[a], lines[b] = lines[b], lines[a]
    elif kind == 3:
        random.shuffle(lines)
    else:
        lines[a] = lines[a][: random.randrange(len(lines[a]) + 1)]
    return b"".join(lines)


def _envelope(content: bytes, random: Random) -> bytes:
    """What editors and transfers do to a whole file."""
    return random.choice(
        (
            b"\xef\xbb\xbf" + content,
            content.replace(b"\n", b"\r\n"),
            b"",
            b"\n\n",
            content + b"\0" * 64,
            content.decode("latin-1").encode("utf-16"),
            b"[" * DEPTH,
            b'{"a":' * DEPTH,
            content + b"[" * DEPTH,
        )
    )


def _json(content: bytes, random: Random) -> bytes:
    try:
        return _dumped(_changed(json.loads(content), random), random)
    except (ValueError, RecursionError):
        return _flip(content, random)


def _json_line(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    place = random.randrange(len(lines))
    if random.random() < 0.2:  # the first line says how all others are read
        place = 0
    lines[place] = _json(lines[place], random).replace(b"\n", b"") + b"\n"
    return b"".join(lines)


def _dumped(value: Value, random: Random) -> bytes:
    text = json.dumps(value, default=str)
    if random.random() < 0.05:  # a key that stands twice
        text = re.sub(r'("\w+"): ', r"\1: null, \1: ", text, count=1)
    return text.encode()


def _changed(value: Value, random: Random) -> Value:
    """A JSON value, in which one thing is changed."""
    places = list(_places(value))
    if not places:
        return random.choice((*OTHERS, *NUMBERS))
    container, key = random.choice(places)
    kind = random.randrange(8)
    if kind == 0 and isinstance(container, dict):
        del container[key]
    elif kind == 1:
        container[key] = _nested(random)
    elif kind == 2 and isinstance(container, dict):
        container["unexpected"] = container[key]
    elif kind == 3 and isinstance(container[key], list):
        container[key] = container[key][: len(container[key]) // 2]
    elif kind in (4, 5) and type(container[key]) in (int, float):
        container[key] = random.choice((-container[key], container[key] * 1e6, *NUMBERS))
    else:
        container[key] = random.choice((*OTHERS, *NUMBERS))
    return value


def _places(value: Value) -> list[tuple[Any, Any]]:
    places: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        item = pending.pop()
        keys = item if isinstance(item, dict) else range(len(item) if isinstance(item, list) else 0)
        for key in keys:
            places.append((item, key))
            pending.append(item[key])
    return places


def _nested(random: Random) -> Value:
    value: Value = 1
    for _ in range(random.choice((5, 60, 400))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _toml(content: bytes, random: Random) -> bytes:
    """Another value for a key of a line, or no such line, or a key that stands twice."""
    lines = content.decode(errors="replace").splitlines()
    keyed = [i for i, line in enumerate(lines) if re.match(r"\w+ *=", line)]
    if not keyed:
        return _flip(content, random)
    place = random.choice(keyed)
    key = lines[place].partition("=")[0]
    kind = random.randrange(7)
    if kind == 0:
        del lines[place]
    elif kind == 1:
        lines.insert(place, lines[place])
    elif kind == 2:
        lines[place] = f"{key}= {'[' * DEPTH}"
    elif kind == 3:
        lines[place] = f"un{lines[place]}"
    else:
        value = random.choice((*NUMBERS, *OTHERS, *WORDS))
        lines[place] = f"{key}= {_toml_value(value)}"
    return "\n".join(lines).encode()


def _toml_value(value: Value) -> str:
    if isinstance(value, dict):
        return "{a = 1}"
    return (
        "none"
        if value is None
        else json.dumps(value)
        .replace("NaN", "nan")
        .replace("Inf", "inf")
        .replace("infinity", "inf")
    )


def _cell(content: bytes, random: Random) -> bytes:
    """Another text in a cell, a cell too many or too few, another separator."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode(errors="replace"))))
    except csv.Error:
        return _flip(content, random)
    if not any(rows):
        return _flip(content, random)
    row = random.choice([row for row in rows if row])
    kind = random.randrange(8)
    if kind == 0:
        row.append(random.choice(WORDS))
    elif kind == 1:
        row.pop()
    elif kind == 2:
        first = next(row for row in rows if row)  # the names, as a rule
        first[random.randrange(len(first))] = random.choice(WORDS)
    else:
        row[random.randrange(len(row))] = random.choice(WORDS)
    text = io.StringIO()
    csv.writer(text, delimiter=random.choice(",,,,,,,;\t")).writerows(rows)
    return text.getvalue().encode()


Change = Callable[[bytes, Random], bytes]
