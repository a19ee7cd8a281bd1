"""Live progress bars on stderr; silent when stderr is not a terminal."""

from __future__ import annotations

from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from glam.config import GlamConfig


class Progress:
    """Progress of a training run: step, loss, tokens/s, MFU and HFU, watts, joules, time left."""

    def __init__(self, config: GlamConfig, step: int) -> None:
        console = Console(stderr=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(
            config.name, total=config.training.steps, completed=step, metrics=""
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._bar.disable:
            self._bar.stop()

    def show(self, row: dict[str, Any]) -> None:
        """Show a line of metrics."""
        self._bar.update(self._task, completed=row["step"], metrics=metrics_text(row))


def metrics_text(row: dict[str, Any]) -> str:
    """Return a line of metrics as text; power and energy carry their origin if they are known."""
    parts = [
        f"loss {row['loss']:.3f}",
        f"{row['tokens_per_s']:,.0f} tokens/s",
        f"MFU {100 * row['mfu']:.0f} %",
        f"HFU {100 * row['hfu']:.0f} %",
    ]
    if row["power_w"] is not None:
        parts.append(f"{row['power_w']:.0f} W {row['power_origin']}")
    if row["energy_j"] is not None:
        parts.append(f"{row['energy_j']:,.0f} J {row['energy_origin']}")
        parts.append(f"{1e3 * row['energy_j'] / row['tokens']:.3g} mJ/token")
    if "expert_load" in row:
        parts.append(f"busiest expert {1 + max(row['max_violation']):.2f} x mean load")
    return "  ".join(parts)


class Stages:
    """A progress bar over the named stages of a short job."""

    def __init__(self, title: str) -> None:
        self._title = title
        console = Console(stderr=True)
        self._bar = Bar(console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(title)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._bar.disable:
            self._bar.stop()

    def show(self, stage: str, done: int, total: int) -> None:
        """Show the current stage and how much of the job is done."""
        self._bar.update(
            self._task, description=f"{self._title}: {stage}", completed=done, total=total
        )
