"""Metrics as TensorBoard event files.

tensorboard is an optional extra: `pip install 'glam-energy[tensorboard]'`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from energy.errors import InputError


class TensorBoard:
    """Writes each number of a line of metrics as a scalar, with one tag per layer for lists.

    Args:
        folder: folder of the event files.
        step: last step to keep; events of later steps, which a resumed run repeats, are purged.
        enabled: if False, nothing is written and tensorboard is not imported.
    """

    def __init__(self, folder: Path, step: int, *, enabled: bool) -> None:
        self._writer: Any = None
        if not enabled:
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
        """Write a line of metrics; values that are not numbers are skipped."""
        if self._writer is None:
            return
        for name, value in row.items():
            if isinstance(value, list):
                for layer, number in enumerate(value):
                    self._write(f"{name}/layer{layer}", number, row["step"])
            else:
                self._write(name, value, row["step"])

    def _write(self, tag: str, value: Any, step: int) -> None:
        if isinstance(value, int | float):
            self._writer.add_scalar(tag, value, step)
