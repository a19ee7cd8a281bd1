"""What every callback does with a tracker: begin and end windows by name, log joules, close once.

Callbacks are told of edges one at a time, so windows are held open here by name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from energy.tracking.tracker import Tracker


class Loop:
    """A tracker that is driven by events; every call does nothing until `open`.

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
        """Start metering; a run that resumes at a step throws away what came after it."""
        resume = {"step": resume_step} if resume_step else None
        self.tracker = Tracker(self.out_dir, sync=self._sync, resume_at=resume, **self._settings)
        self.tracker.open()

    def begin(self, name: str, phase: str = "compute") -> None:
        """Open a window, unless one of that name is open."""
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
        """Write a row that the run wants to remember."""
        if self.tracker is not None:
            self.tracker.mark(kind, **fields)

    def so_far(self) -> dict[str, float]:
        """Joules so far, under a name that says how they are known."""
        if self.tracker is None:
            return {}
        energy = self.tracker.snapshot().energy
        return {} if energy.value is None else {f"energy_j_{energy.origin}": energy.value}

    def close(self, tokens: float = 0) -> None:
        """Stop metering and write the record.

        Args:
            tokens: that the run counted; 0 for a run that does not count them.
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
