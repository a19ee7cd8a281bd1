"""Live progress of a run on stderr; silent when stderr is not a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from glam.config import GlamConfig


class Progress:
    """Step, loss, tokens/s, watts, MFU, joules so far and time left."""

    def __init__(self, config: GlamConfig, step: int) -> None:
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            config.name, total=config.training.steps, completed=step, told=""
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def show(self, row: dict[str, Any]) -> None:
        """Tell a line of metrics."""
        self._bar.update(self._task, completed=row["step"], told=told(row))


def told(row: dict[str, Any]) -> str:
    """A line of metrics in words; what nobody could read is left out, what is modelled says so."""
    parts = [
        f"loss {row['loss']:.3f}",
        f"{row['tokens_per_s']:,.0f} tokens/s",
        f"MFU {100 * row['mfu']:.0f} %",
    ]
    if row["power_w"] is not None:
        parts.append(f"{row['power_w']:.0f} W {row['power_origin']}")
    if row["energy_j"] is not None:
        parts.append(f"{row['energy_j']:,.0f} J {row['energy_origin']}")
        parts.append(f"{1e3 * row['energy_j'] / row['tokens']:.3g} mJ/token")
    if "expert_load" in row:
        parts.append(f"fullest expert {1 + max(row['max_violation']):.2f} x even")
    return "  ".join(parts)


class Stages:
    """A bar over named stages of a short job; nothing where stderr is not a terminal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, stage: str, done: int, of: int) -> None:
        """Say which stage is on, and how many of how many are done."""
        if self._bar is not None:
            self._bar.update(
                self._task, description=f"{self._title}: {stage}", completed=done, total=of
            )
