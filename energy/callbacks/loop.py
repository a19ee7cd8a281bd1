"""What all callbacks share: windows that begin and end by name, joules for the logs, one record.

A callback receives the beginning and the end of a window as separate events, so open windows are
kept here by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.tracking.tracker import Tracker


class Loop:
    """A tracker driven by events; before `open`, every call does nothing.

    Args:
        out_dir: folder of ledger and record.json.
        sync: called at the edges of windows.
        **settings: further arguments of `Tracker`.
    """

    def __init__(
        self, out_dir: str | Path, *, sync: Callable[[], object] | None = None, **settings: Any
    ) -> None:
        self.out_dir, self._sync, self._settings = Path(out_dir), sync, settings
        self.tracker: Tracker | None = None
        self._open: dict[str, contextlib.AbstractContextManager[None]] = {}

    def open(self, resume_step: int = 0) -> None:
        """Start metering; a run that resumes at a step discards what its ledger has after it."""
        resume = {"step": resume_step} if resume_step else None
        self.tracker = Tracker(self.out_dir, sync=self._sync, resume_at=resume, **self._settings)
        self.tracker.open()

    def begin(self, name: str, phase: str = "compute") -> None:
        """Open a window, unless a window of that name is open."""
        if self.tracker is None or name in self._open:
            return
        window = self.tracker.window(name, phase)
        window.__enter__()
        self._open[name] = window

    def end(self, name: str) -> None:
        """Close a window, if it is open."""
        window = self._open.pop(name, None)
        if window is not None:
            window.__exit__(None, None, None)

    def mark(self, kind: str, **fields: Any) -> None:
        """Write a mark, such as a step or a checkpoint, into the ledger."""
        if self.tracker is not None:
            self.tracker.mark(kind, **fields)

    def so_far(self) -> dict[str, float]:
        """Joules so far, under a name that states their origin; empty before the first sample."""
        if self.tracker is None:
            return {}
        energy = self.tracker.snapshot().energy
        return {} if energy.value is None else {f"energy_j_{energy.origin}": energy.value}

    def close(self, tokens: float = 0) -> None:
        """Stop metering and write the record.

        Args:
            tokens: tokens that the run counted; 0 if it does not count them.
        """
        if self.tracker is None:
            return
        for name in list(self._open):
            self.end(name)
        self.tracker.close()
        from energy.quantity import Quantity

        fields = {"tokens": Quantity.exact(tokens, "1", "counted by the trainer")} if tokens else {}
        self.tracker.record(**fields).save(self.out_dir / "record.json")
        self.tracker = None
