"""What every question returns, and how every verb ends.

An answer is data. How it looks stands beside it, in modules of its package that are loaded by name
when they are needed: `page.py` has `page(answer, console)`, `as_json(answer)`, `frame_rows(answer)`
where the rows of its frame are not those of its data, and `html(answer)` where a notebook shows a
table; `picture.py` has `panels(answer)`, `terms.py` has `terms(answer)`. A package with several
answers adds a word to the names of these modules (`view = "pareto"`: `page_pareto.py`).
"""

from __future__ import annotations

import importlib
import io
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from energy.console import plain, print_csv, print_json, unmarked
from energy.errors import absent, require_package
from energy.guard import printing

if TYPE_CHECKING:
    from energy.display import Printer
    from simulator.kit.style import Figure, Panel
    from simulator.terms import Term

Data = dict[str, Any] | list[Any]


class Terminal(Protocol):
    """What a page is printed on: a console of rich."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print tables and text."""


class Answer:
    """The answer of a question: a page, data, a picture and the terms that it was computed from.

    Attributes:
        view: word that the modules beside the answer end in, where a package has several.
    """

    view: ClassVar[str] = ""

    def page(self, console: Terminal) -> None:
        """Print the answer for a person; what was assumed without being named comes last."""
        self._module("page").page(self, console)
        if self.left_open:
            console.print(self.left_open, markup=False)

    @property
    def left_open(self) -> str:
        """What was assumed of its run, in a line; empty where its notes say so."""
        return ""

    def as_json(self) -> Data:
        """The answer as plain data, with the names that scripts rely on."""
        data: Data = self._module("page").as_json(self)
        if self.left_open and isinstance(data, dict):
            data["assumed"] = self.left_open
        return data

    def panels(self) -> Sequence[Panel]:
        """The panels of its picture, one above the other."""
        panels: Sequence[Panel] = self._module("picture").panels(self)
        return panels

    def terms(self) -> Mapping[str, Term]:
        """How its numbers came about, by what each tree is of; "" for the only tree."""
        terms: Mapping[str, Term] = self._module("terms").terms(self)
        return terms

    def explained(self) -> Data:
        """The data of the answer with its terms, under `explain`."""
        from simulator.terms import as_json

        data, terms = self.as_json(), self.terms()
        if isinstance(data, list):
            return data
        trees = [{"of": of} | as_json(term) for of, term in terms.items()]
        return data | {"explain": as_json(terms[""]) if "" in terms else trees}

    @property
    def panel_size(self) -> tuple[float, float]:
        """Inches of one panel."""
        return 6.5, 4.0

    @property
    def headline(self) -> str:
        """The answer in a few words."""
        return str(getattr(self, "name", ""))

    @property
    def title(self) -> str:
        """The answer as the title of its picture."""
        return self.headline

    @property
    def markup(self) -> str:
        """What stands beneath its picture on a page of HTML, before the printed answer."""
        return ""

    def to_dict(self) -> Data:
        """The answer as data of plain Python types."""
        import json

        data: Data = json.loads(json.dumps(self.as_json(), default=plain))
        return data

    def to_frame(self) -> Any:
        """Its rows as a frame of pandas: a quantity has its unit in the name, a band, an origin.

        The rows are those of the first list of its data, if its page says nothing else; an answer
        without a list is a single row.

        Raises:
            MissingDataError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise absent("pandas") from error
        from energy.rows import rows_of

        return pandas.DataFrame(rows_of(self.frame_data()))

    def frame_data(self) -> Data:
        """The data whose rows are those of its frame and of --csv."""
        rows = getattr(self._module("page"), "frame_rows", None)
        data: Data = self.as_json() if rows is None else rows(self)
        return data

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw the answer; into a PNG, SVG or HTML file where there is a path.

        Raises:
            MissingDataError: matplotlib is not installed.
        """
        require_package("matplotlib")
        from simulator.kit import style

        if path is not None:
            _draw(self, Path(path), repr(self))
        return style.figure(self.panels(), self.panel_size, self.title)

    def text(self) -> str:
        """The page as text."""
        from energy.reports.terminal import console

        printed = io.StringIO()
        with redirect_stdout(printed):
            self.page(console(plain=True))
        return printed.getvalue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def _repr_html_(self) -> str:
        table = getattr(self._module("page"), "html", None)
        return f"<pre>{escape(self.text())}</pre>" if table is None else str(table(self))

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        # In a list of answers, each is a line.
        printer.text(repr(self) if cycle or printer.indentation else self.text().rstrip())

    def __rich__(self) -> Any:
        return unmarked(self.text().rstrip())

    def _module(self, kind: str) -> ModuleType:
        """The module beside the answer that shows it in one way."""
        package = type(self).__module__.rpartition(".")[0]
        name = f"{package}.{kind}_{self.view}" if self.view else f"{package}.{kind}"
        return importlib.import_module(name)


def present(
    answer: Answer,
    *,
    as_json: bool,
    as_csv: bool = False,
    explain: bool = False,
    plot: Path | None = None,
) -> None:
    """End a verb: draw, then print as data or as a page, with the terms where they are wanted.

    Args:
        answer: of the question.
        as_json: of --json.
        as_csv: of --csv: the rows of its frame.
        explain: of --explain.
        plot: of --plot.

    Raises:
        InputError: the picture cannot be written, or its ending is not known.
    """
    if plot is not None:
        _draw(answer, plot, shlex.join(["simulator", *sys.argv[1:]]))
    with printing():
        if as_csv:
            print_csv(answer.frame_data())
        elif as_json:
            print_json(answer.explained() if explain else answer.as_json())
        else:
            _print_page(answer, explain=explain)


def _print_page(answer: Answer, *, explain: bool) -> None:
    from energy.reports.terminal import console

    answer.page(console())
    if not explain:
        return
    from simulator.terms import lines

    for of, term in answer.terms().items():
        # Where a name ends in the tree's own, that is not said twice.
        begin = f"{of}: " if of and not of.endswith(term.name) else of.removesuffix(term.name)
        print(f"\n{begin}" + "\n".join(lines(term)))


def _draw(answer: Answer, path: Path, command: str) -> None:
    """Draw an answer into a file; a page of HTML has the printed answer beneath the picture."""
    from simulator.kit import style

    is_page = path.suffix.lower() == ".html"
    style.save(
        path,
        *answer.panels(),
        size=answer.panel_size,
        text=answer.text() if is_page else "",
        command=command,
        title=answer.title,
        markup=answer.markup if is_page else "",
    )
