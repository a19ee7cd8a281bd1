"""A model card of the Hugging Face Hub as a claim: its metadata, and its environmental section."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from energy.claims.claim import Claim, Problem
from energy.units import J_PER_KWH, S_PER_HOUR

PLAIN = re.compile(r"\d+(?:\.\d+)?")
HUB = re.compile(r"\d+\.\d+|\d+")
"""What the Hub's own filter takes of the text of `emissions`."""

MASS = {"t": 1e6, "kg": 1e3, "g": 1.0}
ENERGY = {"gwh": 3.6e12, "mwh": 3.6e9, "kwh": 3.6e6, "wh": 3.6e3}

CARBON = re.compile(r"([\d.,]+)\s*(t|tons?|tonnes?|kg|g)\s*(?:of\s+)?CO2", re.IGNORECASE)
GRAMS = re.compile(
    r"^\W*co2 emissions \((?:in )?grams\)\W*([\d.]+)\s*$", re.IGNORECASE | re.MULTILINE
)
"""AutoTrain's line."""

JOULES = re.compile(
    r"^\W*energy(?: consumed| used| consumption)?\W+([\d.,]+)\s*([GMk]?Wh)\b(.*)$",
    re.IGNORECASE | re.MULTILINE,
)
SECTION = {
    "chip": r"(?:hardware type|gpu model)",
    "hours": r"hours used",
    "zone": r"compute region",
    "carbon": r"carbon emitted",
}

COUNTED = re.compile(r"(\d{1,6}) ?[x\u00d7] ?(.+)")
"""1 x NVIDIA GeForce RTX 3090."""


def card(text: str, where: str) -> Claim:
    """What a card claims. `emissions` is grams, as the Hub reads it."""
    return stated(*_parts(text), where)


def stated(metadata: Mapping[str, str], body: str, where: str) -> Claim:
    """What `co2_eq_emissions` and a text state.

    Args:
        metadata: its lines by key; a bare number is under its own name.
        body: with an environmental section.
        where: file, for people.
    """
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    problems: list[Problem] = []
    stated = metadata.get("emissions", metadata.get("co2_eq_emissions", ""))
    if stated:
        read = HUB.search(stated)
        if PLAIN.fullmatch(stated) or re.fullmatch(r"-\d+(\.\d+)?", stated):
            numbers["co2_g"] = float(stated)
        else:
            seen = f"reads {read.group(0)} g" if read else "reads nothing"
            problems.append(Problem("not-a-number", f"emissions is {stated!r}: the Hub {seen}"))
    for key, name in {"hardware_used": "chip", "training_type": "workload"}.items():
        if metadata.get(key):
            words[name] = metadata[key]
    if PLAIN.fullmatch(kwh := metadata.get("energy_consumed", "")):  # CodeCarbon's
        numbers["energy_j"] = float(kwh) * J_PER_KWH
    _read_section(body, numbers, words, problems)
    if PLAIN.fullmatch(hours := metadata.get("hours_used", "")):  # CodeCarbon's, by the clock
        numbers.pop("chip_s", None)
        numbers["elapsed_s"] = float(hours) * S_PER_HOUR
    if counted := COUNTED.fullmatch(words.get("chip", "")):
        numbers["chips"], words["chip"] = float(counted.group(1)), counted.group(2)
        # Beside a count the hours are those of the clock; the Hub's template has those of chips.
        if "chip_s" in numbers:
            numbers["elapsed_s"] = numbers.pop("chip_s")
    return Claim(where, numbers, words, tuple(problems))


def _parts(text: str) -> tuple[dict[str, str], str]:
    """The lines of `co2_eq_emissions` by key, and the text below the metadata."""
    match = re.match(r"---\r?\n(.*?)\r?\n---\r?\n?(.*)", text, re.DOTALL)
    if match is None:
        return {}, text
    values: dict[str, str] = {}
    inside = False
    for line in match.group(1).splitlines():
        key, _, value = line.strip().partition(":")
        is_nested = line[:1].isspace()
        if not is_nested:
            inside = key == "co2_eq_emissions"
        if inside and value.strip():
            values[key] = _scalar(value.strip())
    return values, match.group(2)


def _scalar(text: str) -> str:
    """A YAML scalar as text; a quoted one without its quotes."""
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except json.JSONDecodeError:
            return text.strip('"')
    return text.strip("'")


def _read_section(
    body: str, numbers: dict[str, float], words: dict[str, str], problems: list[Problem]
) -> None:
    """The lines of the environmental section, as the Hub's template has them."""
    lines = {
        name: match.group(1).strip(" *")
        for name, title in SECTION.items()
        if (match := re.search(rf"^\W*{title}\W*:?\W*(.+)$", body, re.IGNORECASE | re.MULTILINE))
    }
    if "chip" in lines:
        words.setdefault("chip", lines["chip"])
    if hours := re.match(r"[\d,.]+", lines.get("hours", "")):
        numbers["chip_s"] = float(hours.group(0).replace(",", "").rstrip(".")) * S_PER_HOUR
    if "zone" in lines:
        words["zone"] = lines["zone"]
    if (joules := JOULES.search(body)) and "energy_j" not in numbers:
        size = ENERGY[joules.group(2).lower()]
        numbers["energy_j"] = float(joules.group(1).replace(",", "")) * size
        if at := re.search(r"(\w+) boundary", joules.group(3)):
            words["boundary"] = at.group(1)
    if grams_line := GRAMS.search(body):
        lines.setdefault("carbon", f"{grams_line.group(1)} g CO2")
    if carbon := CARBON.search(lines.get("carbon", "")):
        unit = {"tons": "t", "ton": "t", "tonnes": "t", "tonne": "t"}.get(
            carbon.group(2).lower(), carbon.group(2).lower()
        )
        grams = float(carbon.group(1).replace(",", "")) * MASS[unit]
        metadata = numbers.setdefault("co2_g", grams)
        if abs(metadata / grams - 1) > 0.05 if grams else metadata:
            problems.append(
                Problem("unit", f"emissions is {metadata:g} g; the section says {carbon.group(0)}")
            )
