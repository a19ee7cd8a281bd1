"""`%%energy`: meter a cell of a notebook.

    %load_ext energy

    %%energy baseline --zone FIN
    model.fit(data)

prints what the cell spent, and leaves its record in the variable that is named: `record` without
a name.
"""

from __future__ import annotations

import argparse
import ast
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Protocol

from energy.errors import AccountingError, InputError
from energy.quantity import Boundary
from energy.record import RunRecord
from energy.tracking.tracker import Tracker
from energy.units import J_PER_KWH, duration, significant

EXAMPLE = "for example %%energy baseline --zone FIN --out runs/baseline"


class Shell(Protocol):
    """What this module needs of IPython."""

    user_ns: dict[str, Any]
    compile: Any

    def register_magic_function(self, func: Any, magic_kind: str, magic_name: str) -> None:
        """Make a function a magic."""

    def transform_cell(self, raw_cell: str) -> str:
        """The Python of a cell, whose own magics are calls."""


def load_ipython_extension(shell: Shell) -> None:
    """Register `%%energy`, which is what `%load_ext energy` calls."""
    shell.register_magic_function(partial(metered, shell), "cell", "energy")


def metered(shell: Shell, line: str, cell: str) -> Any:
    """Run a cell, print what it spent, and leave its record in a variable.

    Args:
        shell: of the notebook.
        line: behind the name of the magic: a variable, --zone, --out and --interval.
        cell: its code.

    Returns:
        The value of its last expression, which is shown as without the magic.

    Raises:
        UsageError: the line is not valid, or the folder of --out contains a run.
    """
    with tempfile.TemporaryDirectory() as folder:
        with _as_usage():
            named = _named(line)
            code = _compiled(shell, cell)
            tracker = Tracker(
                named.out or Path(folder) / "cell",
                name=named.variable,
                zone=named.zone,
                interval_s=named.interval,
            )
            tracker.open()
        try:
            with tracker, tracker.window("cell"):
                return code(shell.user_ns)
        finally:
            path = tracker.out_dir / "record.json"
            if path.is_file():
                record = RunRecord.load(path)
                shell.user_ns[named.variable] = record
                print(spent(record))


def spent(record: RunRecord) -> str:
    """Joules at the innermost boundary of a record, with band and origin, and its time, in a line.

    `work: 0.00213 kWh, 7.67 kJ (80 %: 5.10 to 10.3, modelled) at the chip, in 12.3 s`
    """
    boundary = min(record.totals, key=list(Boundary).index, default=Boundary.CHIP)
    joules = record.joules_at(boundary)
    kwh = "" if joules.value is None else f"{significant(joules.value / J_PER_KWH)} kWh, "
    seconds = record.elapsed_s.value
    time = "" if seconds is None else f", in {duration(seconds)}"
    return f"{record.name}: {kwh}{joules} at the {boundary}{time}"


class _Parser(argparse.ArgumentParser):
    """A parser that raises where others end the program."""

    def error(self, message: str) -> NoReturn:
        raise InputError("expected a line that %%energy takes", message, EXAMPLE)


def _named(line: str) -> argparse.Namespace:
    """What the line of the magic says.

    Raises:
        InputError: a word is unknown, or no name of a variable.
    """
    parser = _Parser(prog="%%energy", add_help=False)
    parser.add_argument("variable", nargs="?", default="record")
    parser.add_argument("--zone")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--interval", type=float, default=0.2)
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InputError("expected a line that %%energy takes", str(error), EXAMPLE) from error
    named = parser.parse_args(words)
    if not named.variable.isidentifier():
        raise InputError("expected the name of a variable", named.variable, EXAMPLE)
    return named


def _compiled(shell: Shell, cell: str) -> Callable[[dict[str, Any]], Any]:
    """A cell as a function of the notebook's variables that returns its last expression."""
    text = shell.transform_cell(cell)
    # Under this name, tracebacks quote the lines of the cell.
    name = shell.compile.cache(text)
    tree = shell.compile.ast_parse(text, filename=name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    before = shell.compile(tree, name, "exec")
    value = None if last is None else shell.compile(ast.Expression(last.value), name, "eval")

    def run(variables: dict[str, Any]) -> Any:
        exec(before, variables)
        return None if value is None else eval(value, variables)

    return run


@contextmanager
def _as_usage() -> Iterator[None]:
    """Show an error of the line as IPython shows its own: a line without traceback."""
    from IPython.core.error import UsageError

    try:
        yield
    except AccountingError as error:
        raise UsageError(str(error)) from error
