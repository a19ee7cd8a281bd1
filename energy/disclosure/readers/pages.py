"""What our own pages, data and OpenMetrics text claim, as they were written or edited since.

A page is read as people read it, figure by figure; nothing that it does not show is in the claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from energy.claims.claim import NUMBERS, Claim, Problem
from energy.disclosure.method import place
from energy.disclosure.readers.forms import NAMES
from energy.disclosure.writers.page import CO2, FIGURES, LADDER, WORDS
from energy.inputs import is_number
from energy.units import parsed_count

SIZES = {
    "Wh": 3.6e3,
    "kWh": 3.6e6,
    "MWh": 3.6e9,
    "GWh": 3.6e12,
    "TWh": 3.6e15,
    "nJ": 1e-9,
    "µJ": 1e-6,
    "mJ": 1e-3,
    "J": 1.0,
    "kJ": 1e3,
    "MJ": 1e6,
    "ng": 1e-9,
    "µg": 1e-6,
    "mg": 1e-3,
    "g": 1.0,
    "kg": 1e3,
    "t": 1e6,
    "kt": 1e9,
    "Mt": 1e12,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "day": 86_400.0,
    "days": 86_400.0,
    "mL": 1e-3,
    "L": 1.0,
    "kL": 1e3,
    "m3": 1e3,
    "g/kWh": 1.0,
    "FLOP": 1.0,
}
"""Units as pages have them, in SI."""

AMOUNT = re.compile(r"(-?[\d.,]+(?:e[+-]?\d+)?) ?([A-Za-zµ/]+3?)")
"""A number and its unit; a duration has two: 8 h 33 min."""

TITLES = (
    {place(at): f"energy_{at}_j" for at in LADDER}
    | {title: name for name, title in CO2.items()}
    | {title: name for name, title in FIGURES.items()}
)

KNOWN_WORDS = {WORDS["chip_name"]: "chip", WORDS["zone"]: "zone"}

HTML_ROWS = (
    re.compile(r"<p><b>([^<]+)</b>([^<]+)<span>"),
    re.compile(r'<tr><td>([^<]+)</td><td class="number">([^<]+)</td>'),
)
HTML_CARDS = re.compile(r'<div class="card"><b>([^<]+)</b><p>([^<]+)</p>')
HTML_WORDS = re.compile(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>")
MD_ROWS = re.compile(r"^\| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
MD_WORDS = re.compile(r"^- ([^:\n]+): (.+)$", re.MULTILINE)

SAMPLE = re.compile(r"^hw_(?:host_)?energy_joules_total\{(.*)\} (\S+)", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def html(text: str, where: str) -> Claim:
    """A page of `energy report --format html`."""
    rows = [row for pattern in HTML_ROWS for row in pattern.findall(text)]
    rows += [(title, value) for value, title in HTML_CARDS.findall(text)]
    return _claim(rows, HTML_WORDS.findall(text), where)


def is_page(text: str) -> bool:
    """Whether Markdown is a page of ours, and no model card."""
    return "\n| what | value | band | origin |" in text


def markdown(text: str, where: str) -> Claim:
    """A page of `energy report --format md`."""
    return _claim(MD_ROWS.findall(text), MD_WORDS.findall(text), where)


def _claim(rows: Iterable[tuple[str, str]], words: Iterable[tuple[str, str]], where: str) -> Claim:
    numbers: dict[str, float] = {}
    problems = []
    for shown, text in rows:
        name = TITLES.get(unescape(shown).strip(), "")
        value = unescape(text).strip()
        if not name or value == "missing":
            continue
        try:
            numbers[name] = amount(value)
        except ValueError:
            problems.append(Problem("not-a-number", f"{shown} is {value!r}"))
    said = {unescape(title).strip(): unescape(text).strip() for title, text in words}
    known = {KNOWN_WORDS[title]: text for title, text in said.items() if title in KNOWN_WORDS}
    return _of_facts(numbers, known, where, problems)


def amount(text: str) -> float:
    """An amount as pages print it, in SI: 41.4 kWh, 8 h 33 min, 600B, 3.5e23.

    Raises:
        ValueError: it is none.
    """
    pairs = [pair for pair in AMOUNT.findall(text) if pair[1] in SIZES]
    if not pairs:
        return parsed_count(text)
    return sum(float(number.replace(",", "")) * SIZES[unit] for number, unit in pairs)


def data(document: Mapping[str, Any], where: str) -> list[Claim]:
    """The facts of `energy report --format json`."""
    numbers: dict[str, float] = {}
    problems = []
    facts = document["facts"] if isinstance(document["facts"], dict) else {}
    for name, fact in facts.items():
        value = fact.get("value") if isinstance(fact, dict) else fact
        if isinstance(value, int | float) and is_number(value):
            numbers[name] = float(value)
        else:
            problems.append(Problem("not-a-number", f"{name} is {value!r}"))
    if not facts:
        problems.append(Problem("field", "facts are empty"))
    own = document.get("words")
    words = {k: str(v) for k, v in own.items() if k in ("chip", "zone")} if own else {}
    return [_of_facts(numbers, words, where, problems)]


def openmetrics(text: str, where: str) -> list[Claim]:
    """Joules of `energy report --format openmetrics`, a claim a run."""
    runs: dict[str, dict[str, float]] = {}
    problems: dict[str, list[Problem]] = {}
    for written, value in SAMPLE.findall(text):
        labels = dict(LABEL.findall(written))
        run, name = labels.get("run", ""), f"energy_{labels.get('boundary', 'chip')}_j"
        own = runs.setdefault(run, {})
        try:
            own[name] = own.get(name, 0.0) + float(value)
        except ValueError:
            problems.setdefault(run, []).append(Problem("not-a-number", f"a sample is {value!r}"))
    return [
        _of_facts(numbers, {}, f"{where} {run}", problems.get(run, []))
        for run, numbers in runs.items()
    ]


def _of_facts(
    facts: Mapping[str, float], words: Mapping[str, str], where: str, problems: list[Problem]
) -> Claim:
    """Facts by the names of claims; the joules are those of the innermost boundary."""
    numbers = {NAMES.get(name, name): value for name, value in facts.items()}
    said = dict(words)
    inner = next((at for at in LADDER if f"energy_{at}_j" in numbers), None)
    if inner is not None:
        numbers["energy_j"] = numbers[f"energy_{inner}_j"]
        said["boundary"] = inner
    numbers = {name: value for name, value in numbers.items() if name in NUMBERS}
    return Claim(where, numbers, said, tuple(problems))
