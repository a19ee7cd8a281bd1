"""The lines of metrics as TensorBoard event files, for those who ask for them.

tensorboard is an optional extra: `pip install 'glam-energy[tensorboard]'`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from energy.errors import InputError


class Events:
    """Writes each number of a line of metrics as a scalar; those of layers one by one.

    Args:
        folder: of the event files.
        step: the last one that stays; what a resumed run does again is purged.
        wanted: without, nothing is written and tensorboard is not loaded.
    """

    def __init__(self, folder: Path, step: int, *, wanted: bool) -> None:
        self._writer: Any = None
        if not wanted:
            return
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise InputError(
                "expected tensorboard, for [training] tensorboard = true",
                "none",
                "pip install 'glam-energy[tensorboard]'",
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def show(self, row: dict[str, Any]) -> None:
        """Write a line of metrics; what is missing or no number is left out."""
        if self._writer is None:
            return
        for name, value in row.items():
            values = value if isinstance(value, list) else [value]
            for layer, one in enumerate(values):
                tag = f"{name}/layer{layer}" if isinstance(value, list) else name
                if isinstance(one, int | float):
                    self._writer.add_scalar(tag, one, row["step"])
