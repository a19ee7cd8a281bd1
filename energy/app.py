"""The frame of the three commands: verbs by question, their help and examples, shared options.

A command loads the verb that is called and no other; its own `--help` loads none, and lists them
by their summaries.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from energy.console import print_version


def one_form(context: typer.Context, own: typer.CallbackParam, chosen: bool) -> bool:
    """The check of --json, --csv and --explain: CSV has rows, and no other document beside them."""
    names = {own.name or ""} | {name for name, value in context.params.items() if value is True}
    forms = {name.removeprefix("as_") for name in names}
    if chosen and "csv" in forms and forms & {"json", "explain"}:
        raise typer.BadParameter("expected one of --csv, --json and --explain")
    return chosen


Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document on stdout.", callback=one_form),
]


Csv = Annotated[
    bool, typer.Option("--csv", help="Print the rows as CSV on stdout.", callback=one_form)
]


Zone = Annotated[
    str | None,
    typer.Option(help="Grid zone (see energy grid); without it, a band over all zones."),
]


Pue = Annotated[
    float | None, typer.Option(help="Facility over IT energy; without it, a band is assumed.")
]


Wue = Annotated[
    float | None,
    typer.Option(help="Liters of water of the site a kWh of IT; without it, no water."),
]


Market = Annotated[
    float | None,
    typer.Option(metavar="G", help="Grams a kWh after contracts; without it, none by market."),
]


LocationSeries = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Intensity of the grid over time: CO2e hour by hour."),
]


MarketSeries = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="That of the contracts over time, beside the other."),
]


def output_file(*endings: str, needs: str = "") -> Callable[[Path | None], Path | None]:
    """The check of an option that names a file to write, made before anything is computed.

    Args:
        endings: that the file may have; any, if none are named.
        needs: package of an extra that writes the file.
    """

    def check(path: Path | None) -> Path | None:
        if path is not None:
            from energy.errors import require_package
            from energy.files import require_writable

            require_writable(path, endings)
            if needs:
                require_package(needs)
        return path

    return check


def output_folder(path: Path | None) -> Path | None:
    """The check of an option that names a folder to write into, made before the work."""
    if path is not None:
        from energy.files import require_writable

        require_writable(path / "record.json")
    return path


Verb = TypeVar("Verb", bound=Callable[..., None])

Verbs = Mapping[str, Mapping[str, tuple[str, str]]]
"""By question and name, "module" or "module:function" of a verb, and the summary of its help."""

PASSES_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Settings of a verb whose last argument is a command: its options are not ours."""

_EXAMPLES: dict[Callable[..., None], tuple[str, ...]] = {}
_SETTINGS: dict[Callable[..., None], Mapping[str, Any]] = {}


def examples(*commands: str, settings: Mapping[str, Any] | None = None) -> Callable[[Verb], Verb]:
    """Add examples to the help of a verb, and settings to its parser."""

    def remember(verb: Verb) -> Verb:
        _EXAMPLES[verb] = commands
        _SETTINGS[verb] = settings or {}
        return verb

    return remember


def examples_of(verb: Callable[..., None]) -> tuple[str, ...]:
    """The commands that the help of a verb shows."""
    return _EXAMPLES[verb]


class _ByQuestion(TyperGroup):
    """Lists the verbs beneath the question that they answer."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option --help, which is False where it is absent: to convert None loads pydantic."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.default = False
        return option

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each question, all with columns of one width."""
        width = max(map(len, self.commands))
        questions: dict[str, list[tuple[str, str]]] = {}
        for name, verb in self.commands.items():
            line = (name.ljust(width), (verb.help or "").partition("\n")[0])
            questions.setdefault(getattr(verb, "rich_help_panel", ""), []).append(line)
        for question, lines in questions.items():
            formatter.write(f"\n{question}\n")
            with formatter.indentation():
                formatter.write_dl(lines)


class _Verb(TyperCommand):
    """A verb; from its begin on garbage is looked for, which `energy.guard.start` has put off."""

    def invoke(self, ctx: Any) -> Any:
        """Call the verb."""
        gc.enable()
        return super().invoke(ctx)


def build(
    name: str, about: str, exit_codes: str, verbs: Verbs, arguments: Sequence[str] | None = None
) -> typer.Typer:
    """A command with its verbs.

    Args:
        name: of the command.
        about: what it is for, in a sentence.
        exit_codes: those a user meets, each with its meaning.
        verbs: of the command.
        arguments: that it will be called with: of the verb that they begin with it has that alone,
            and where they name none, the summaries of all. Without them, it has all verbs.
    """
    app = _empty(name, about, exit_codes)
    every = {verb for names in verbs.values() for verb in names}
    named = every if arguments is None else every.intersection(arguments)
    first = next(iter(arguments or ()), "")
    for question, names in verbs.items():
        for verb, (place, summary) in names.items():
            if not named:
                app.command(verb, help=summary, rich_help_panel=question)(_listed)
            elif first not in every or verb == first:
                module, _, function = place.partition(":")
                _mount(app, question, getattr(import_module(module), function or verb), verb)
    return app


def _listed() -> None:
    """A verb that is listed, and not called."""
    raise NotImplementedError


def _empty(name: str, about: str, exit_codes: str) -> typer.Typer:
    """A command without verbs."""
    app = typer.Typer(
        name=name,
        cls=_ByQuestion,
        help=about,
        epilog=f"Exit codes: {exit_codes}.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(help=about)
    def options(
        version: Annotated[
            bool,
            typer.Option(
                "--version",
                help="Print the version and exit.",
                is_eager=True,
                callback=print_version,
            ),
        ] = False,
    ) -> None:
        pass

    return app


def _mount(app: typer.Typer, question: str, verb: Callable[..., None], name: str) -> None:
    """Add a verb to a command, with its examples at the end of its help."""
    commands = _EXAMPLES[verb]
    lines = ("\b", "Examples:" if len(commands) > 1 else "Example:", *(f"  {c}" for c in commands))
    app.command(
        name,
        cls=_Verb,
        epilog="\n".join(lines),
        rich_help_panel=question,
        context_settings=dict(_SETTINGS[verb]),
    )(verb)
