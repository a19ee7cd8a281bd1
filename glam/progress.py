"""Progress on stderr: a live bar in a terminal, a line a minute in a log file."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from energy import units
from energy.minutes import LINE_S, line_a_minute
from energy.reports.terminal import console as new_console
from glam.config import GlamConfig


class Progress:
    """Progress of a training run: step, time left, loss, tokens/s, MFU and HFU, watts, joules.

    In a log file evaluations and the last step always have a line.
    A narrow terminal cuts the metrics first; step and time left stay.
    """

    def __init__(self, config: GlamConfig, step: int) -> None:
        console = new_console(stderr=True)
        self._steps, self._first_step = config.training.steps, step
        self._begun_s = time.monotonic()
        self._line_s = float("-inf")
        self._bar = Bar(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, max_width=16)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True, min_width=7)),
            BarColumn(bar_width=12 if console.width >= 100 else 4),
            TextColumn(
                "{task.fields[metrics]}",
                table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
            ),
            console=console,
            expand=True,
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
        if not self._bar.disable:
            self._bar.update(self._task, completed=row["step"], metrics=metrics_text(row))
            return
        now, step = time.monotonic(), row["step"]
        due = "validation_loss" in row or step == self._steps
        if not due and now - self._line_s < LINE_S:
            return
        self._line_s = now
        done = step - self._first_step
        left_s = (now - self._begun_s) / done * (self._steps - step) if done > 0 else 0.0
        left = f", {units.duration(left_s)} left" if step < self._steps else ""
        print(f"step {step} of {self._steps}{left}: {metrics_text(row)}", file=sys.stderr)


def metrics_text(row: dict[str, Any]) -> str:
    """Return a line of metrics as text; power and energy carry their origin if they are known."""
    parts = [f"loss {row['loss']:.3f}"]
    if "validation_loss" in row:
        parts.append(f"validation loss {row['validation_loss']:.3f}")
    parts += [
        f"{row['tokens_per_s']:,.0f} tokens/s",
        f"MFU {100 * row['mfu']:.0f} %",
        f"HFU {100 * row['hfu']:.0f} % of {row['precision']}",
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
    """Progress over the named stages of a short job: a bar, or where it takes minutes, lines."""

    def __init__(self, title: str) -> None:
        self._title, self._say = title, line_a_minute()
        console = new_console(stderr=True)
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
        if self._bar.disable:
            self._say(f"{self._title}: {stage}, {done} of {total} done")
            return
        self._bar.update(
            self._task, description=f"{self._title}: {stage}", completed=done, total=total
        )
