"""What is known of the cells of a search: rows that were measured, watts, tokens, origins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from energy.units import count
from simulator.questions.sweep.cells import Cell, Configuration

MEASURED = "measured rows"
"""Head of the column with the fitted rows of this kind of model on this chip."""


def has_watts(cell: Cell) -> bool:
    """Whether the watts of its chip are known."""
    return bool(np.isfinite(cell.costs[:, 1]).all())


def origins(configurations: Sequence[Configuration]) -> str:
    """Where the times of some configurations come from, each origin once."""
    times = (each.spend.elapsed_s.origin for each in configurations)
    return ", ".join(dict.fromkeys(map(str, times)))


def unequal_tokens(cells: Sequence[Cell]) -> list[str]:
    """What must be known before models of different tokens, or of equal ones, are compared."""
    tokens = {cell.model: cell.setup.tokens for cell in cells}
    if len(tokens) == 1:
        return []
    what = (
        "an equal loss by the central law, whose spread is in no band here: see simulator "
        "compare --equal quality"
        if len(set(tokens.values())) > 1
        else "not an equal loss: see --equal quality"
    )
    return [
        ", ".join(f"{model} reads {count(number)}" for model, number in tokens.items())
        + f" tokens: {what}"
    ]


def missing_facts(cells: Sequence[Cell]) -> list[str]:
    """Chips whose watts nobody knows, and those on which nobody measured: what that means here."""
    chips = {cell.scenario.hardware.chip or "": cell for cell in cells}
    dark = sorted(name for name, cell in chips.items() if not has_watts(cell))
    notes = []
    if dark:
        notes.append(f"energy, power and CO2e are missing: no watts of {', '.join(dark)} are known")
    unmeasured = sorted(
        {
            f"{'mixtures' if cell.sparse else 'dense models'} on {cell.scenario.hardware.chip}"
            for cell in cells
            if cell.unmeasured
        }
    )
    if unmeasured:
        notes.append(
            f"no fitted row is of {', '.join(unmeasured)}: ranked after what was measured, and "
            "less certain than its band says"
        )
    return notes
