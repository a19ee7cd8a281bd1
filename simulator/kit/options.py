"""What the verbs of the command `simulator` share: options, examples, values laid over."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from simulator.kit.style import Panel
    from simulator.terms import Term


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


Verb = TypeVar("Verb", bound=Callable[..., None])


_EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {}


def examples(*commands: str) -> Callable[[Verb], Verb]:
    """Give a verb the commands that its help shows."""

    def remember(verb: Verb) -> Verb:
        _EXAMPLES[verb] = commands
        return verb

    return remember


def epilog(verb: Callable[..., None]) -> str:
    """The end of a verb's help: its examples, one a line as written."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in _EXAMPLES[verb])))


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


def tell(
    page: Callable[[], object],
    data: Callable[[], Any],
    trees: Mapping[str, Term] | Term | None,
    as_json: bool,
) -> None:
    """Print an answer, as JSON or as a page, and how it came about where that was asked for.

    Args:
        page: prints the answer.
        data: the same as plain data.
        trees: how it came about: one tree, or several by what each is of; none without --explain.
        as_json: of --json; a list, which has sources in its rows, stays one.
    """
    from energy.console import print_json
    from simulator import terms as explain

    several = {"": trees} if isinstance(trees, explain.Term) else dict(trees or {})
    if as_json:
        told = data()
        if isinstance(told, dict) and trees is not None:
            told["explain"] = (
                explain.as_json(several[""])
                if "" in several
                else [{"of": of} | explain.as_json(tree) for of, tree in several.items()]
            )
        print_json(told)
        return
    page()
    for of, tree in several.items():
        # Where a name ends in the tree's own, that is not said twice.
        begin = f"{of}: " if of and not of.endswith(tree.name) else of.removesuffix(tree.name)
        typer.echo(f"\n{begin}" + "\n".join(explain.lines(tree)))


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
    from simulator.kit import style as plots

    printed = io.StringIO()
    if path.suffix.lower() == ".html":
        with redirect_stdout(printed):
            page()
    plots.save(
        path,
        *panels(),
        size=size,
        told=printed.getvalue(),
        command=shlex.join(["simulator", *sys.argv[1:]]),
    )
