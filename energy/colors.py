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

OFTEN = ("#ffffff", BAND, ANSWER, "#04203f")
"""From seldom over usual to often: the darker, the more, also where two hues would be one gray."""

LOST_BAND = "#f2cfa5"

MIDDLE = "#3d7dbd"
"""Between an answer and its band: the second of three sizes of a mixture."""

THIRD, THIRD_BAND = "#2e7d32", "#81c784"
"""The third of several things that have no color of their own, and what is beside it."""

WHISKER, INK, QUIET = "#888888", "#555555", "#dddddd"
"""A band beside a mark, a mark of no model, and lines behind everything."""

STEP = {
    "compute": (ANSWER, ""),
    "experts": (SPARSE, ""),
    "shared_experts": (BAND, ""),
    "dense_ffn": (DENSE, "//"),
    "attention_projections": (THIRD, "\\\\"),
    "attention_scores": (THIRD_BAND, ""),
    "router": ("#f2c14e", ".."),
    "permutation": ("#c77dba", "--"),
    "dispatch": ("#8e44ad", "||"),
    "logits": ("#8c1c13", "++"),
    "norms_and_activations": (FACTOR, "oo"),
    "communication": (LOST, "//"),
    "bubble": (LOST, ".."),
    "optimizer": (INK, ""),
    "host": (QUIET, "xx"),
}
"""Color and hatch of a part of a training step; what is lost is orange, as everywhere."""

VARIABLES = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d5dd;
  --paper: #ffffff; --card: #f6f8fa; --sparse: #0b5394; --dense: #a85a0c; --warn: #a85a0c;
  --band: #9dc3e6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #444c56;
  --paper: #0d1117; --card: #161b22; --sparse: #6cb4f0; --dense: #f0a34a; --warn: #f0a34a;
  --band: #1f4e6d; } }
"""
"""The same as variables of a style sheet, for both schemes."""
