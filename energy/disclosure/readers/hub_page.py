"""A model's page of the Hugging Face Hub, or another with a card in it, saved from a browser."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from html import unescape
from html.parser import HTMLParser

from energy.claims.claim import Claim
from energy.disclosure.readers.card import stated

METADATA = re.compile(r'"co2_eq_emissions"\s*:\s*(\{[^{}]*\}|"[^"]*"|[^,}\s]+)')
"""The metadata of a card in the data of the page, whose quotes may be written as entities."""

UNSEEN = ("script", "style", "template", "head")
BLOCK = re.compile(
    "address|article|br|dd|div|dl|dt|h[1-6]|hr|li|ol|p|pre|section|table|td|th|tr|ul"
)


def page(text: str, where: str) -> Claim:
    """What a page claims: the metadata in it, and what it shows of the environmental section."""
    reader = _Lines()
    with suppress(AssertionError):  # <![odd[ ends what can be read of a page
        reader.feed(text)
        reader.close()
    body = "\n".join(" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return stated(_metadata(unescape(text)), body, where)


def _metadata(text: str) -> dict[str, str]:
    match = METADATA.search(text)
    if match is None:
        return {}
    try:
        value = json.loads(match.group(1), parse_float=str, parse_int=str)
    except ValueError:
        return {"emissions": match.group(1)}
    if not isinstance(value, dict):
        return {"emissions": str(value)}
    return {key: str(item) for key, item in value.items()}


class _Lines(HTMLParser):
    """The words of a page, a line a block."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A block begins a line; what is not shown is passed over."""
        if tag in UNSEEN:
            self._hidden.append(tag)
        elif BLOCK.fullmatch(tag):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """A block ends a line."""
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        elif BLOCK.fullmatch(tag):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Words between tags."""
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
