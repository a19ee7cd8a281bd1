"""The frame of the three commands: their help, exit codes and --version."""

from __future__ import annotations

from typing import Annotated

import typer

from energy.console import print_version


def new_app(name: str, about: str, exit_codes: str) -> typer.Typer:
    """A command without verbs.

    Args:
        name: of the command.
        about: what it is for, in a sentence.
        exit_codes: those a user meets, each with its meaning.
    """
    app = typer.Typer(
        name=name,
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
