"""What the verbs of the command `simulator` share: options, examples, values laid over."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from simulator.plots import Panel

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Explain = Annotated[bool, typer.Option("--explain", help="Print how each number came about.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over the scenario's, as TOML."),
]
Basis = Annotated[str, typer.Option(help="auto, published or predicted.")]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE.png|svg|html", help="Draw the answer; html tells it too."),
]


def examples(*commands: str) -> str:
    """An epilog of example commands, one a line as written."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))


def overridden(assignments: list[str] | None) -> dict[str, Any]:
    """KEY=VALUE pairs as values by dotted key; the value is TOML, or a word."""
    import tomllib

    from energy.errors import InputError

    found: dict[str, Any] = {}
    for text in assignments or []:
        key, sign, value = text.partition("=")
        if not sign or not key.strip():
            raise InputError("expected --set KEY=VALUE", text, "for example --set run.tokens=280e9")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    return found


def draw(
    path: Path | None,
    panels: Callable[[], Sequence[Panel]],
    page: Callable[[], object],
    size: tuple[float, float] = (6.5, 4.0),
) -> None:
    """Draw an answer into the file of --plot; a page of HTML has the printed answer beneath it.

    Args:
        path: of --plot; nothing is drawn without it.
        panels: of the picture.
        page: prints the answer.
        size: inches of one panel.
    """
    if path is None:
        return
    from simulator import plots

    printed = io.StringIO()
    if path.suffix.lower() == ".html":
        with redirect_stdout(printed):
            page()
    plots.save(path, *panels(), size=size, told=printed.getvalue(),
               command=shlex.join(["simulator", *sys.argv[1:]]))  # fmt: skip
