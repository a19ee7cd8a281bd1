"""How every picture is written: names as they are, whatever letters they have."""

from __future__ import annotations

import io
import warnings
from typing import IO, Any

import matplotlib
from matplotlib.figure import Figure

from energy.letters import escaped

PLAIN_NAMES: Any = {"text.parse_math": False}
"""Settings of matplotlib for every picture: a `$` in a name is a letter, not the start of TeX."""


class Picture(Figure):
    """A figure that a notebook shows as it is, whatever backend it has or none.

    The same numbers give the same file, so that a notebook that is executed again has no new one.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        with matplotlib.rc_context(PLAIN_NAMES):
            draw(self, file, format="png", dpi=110, metadata={"Software": None})
        return file.getvalue()


def draw(figure: Figure, file: IO[Any], **how: Any) -> None:
    """Write a figure; a letter that the font does not have is a box there, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(file, **how)


def svg(figure: Figure) -> str:
    """A figure as an SVG file; without a date, the same numbers give the same file.

    Control letters of names are escaped, as no XML may have them.
    """
    text = io.StringIO()
    draw(figure, text, format="svg", metadata={"Date": None})
    return escaped(text.getvalue())
