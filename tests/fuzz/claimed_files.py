"""Records, cards and forms that are disclosed or checked, and the verbs that read them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from energy.disclosure.formats import FORMATS, write
from tests.energy.claims.test_cards_and_forms import SAVED
from tests.energy.disclosure.runs import known, metered
from tests.fuzz.harness import command
from tests.fuzz.reader import Reader

KWH = 4000.0, 5200.0
"""Of a run; 5376 are its hours times the design power, which the check does not believe."""

KINDS = {".json": "json", ".csv": "csv", ".md": "bytes"}


def run(folder: Path, random: Random) -> Path:
    """The record of a run that every format can hold."""
    folder.mkdir(exist_ok=True)
    path = folder / "record.json"
    metered(kwh=random.uniform(*KWH)).save(path)
    return path


def form(folder: Path, random: Random, name: str) -> Path:
    """A form of such a run."""
    path = folder / f"form{FORMATS[name].ending}"
    path.write_text(write(name, known(metered(kwh=random.uniform(*KWH))), "x"))
    return path


def page(folder: Path, random: Random) -> Path:
    """A model's page of the Hub, as a browser saves it."""
    path = folder / "model.html"
    path.write_text(SAVED.format(emissions=random.randrange(21_500, 23_400)))
    return path


def _disclose(path: Path) -> Any:
    words = ("report", path, "--format", "json", "--zone", "FRA")
    command("energy", *words)()


def _lint(path: Path) -> Any:
    """What the check prints; a damaged figure may well be negative there, which it says."""
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out:
        command("energy", "lint", path, "--json")()
    return len(json.loads(out.getvalue())["findings"])


READERS = (
    Reader("record, disclosed", "json", run, _disclose, weight=2),
    Reader("page of the Hub, checked", "bytes", page, _lint),
    Reader("record, checked", "json", run, _lint, weight=1),
    *(
        Reader(f"{name}, checked", KINDS[FORMATS[name].ending], partial(form, name=name), _lint)
        for name in ("eu-mdf", "hf-card", "sci-ai", "boamps", "spdx", "cyclonedx", "otel", "csv")
    ),
)
