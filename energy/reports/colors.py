"""One color per concept, for every picture and page; distinct in gray and in dark mode as well.

What is blue is also solid, what is orange dashed, dotted or hatched, what is gray hatched: no
picture is read by color alone. A page takes the darker or the lighter color of a pair.
"""

from __future__ import annotations

SPARSE, DENSE = "#0b5394", "#d9822b"
"""Mixture-of-experts and dense models."""

PREDICTED = "#7a7a7a"

ANSWER, BAND, LOST, FACTOR, REFERENCE = SPARSE, "#9dc3e6", DENSE, "#b0b0b0", "#222222"
"""An answer and its 80 % band, what is lost or lowered, a factor, a limit or a reference."""

THIRD = "#2e7d32"
"""The third of several things that have no color of their own."""

VARIABLES = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d5dd;
  --card: #f6f8fa; --sparse: #0b5394; --dense: #a85a0c; --warn: #a85a0c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #444c56;
  --card: #161b22; --sparse: #6cb4f0; --dense: #f0a34a; --warn: #f0a34a; } }
"""
"""The same as variables of a style sheet, for both schemes."""
