"""The answers of `simulator calibrate`: a machine, or constants fitted to tables of throughput."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from simulator.fit.machine import Machine
from simulator.fit.pool import Pool


@dataclass(frozen=True)
class MachineAnswer:
    """A calibrated machine and the file that it was written to."""

    machine: Machine
    path: Path

    def page(self, screen: Any) -> None:
        """Print the machine and its constants."""
        from simulator.questions.calibrate.page_machine import machine_page

        machine_page(self.machine, self.path, screen)

    def as_json(self) -> dict[str, Any]:
        """Hardware, constants and provenance."""
        return {
            "hardware": asdict(self.machine.hardware),
            "constants": asdict(self.machine.constants),
            "provenance": self.machine.provenance,
        }


@dataclass(frozen=True)
class ConstantsAnswer:
    """Constants fitted to rows of throughput and the file that they were written to."""

    pool: Pool
    path: Path

    def page(self, screen: Any) -> None:
        """Print the constants beside their priors."""
        from simulator.questions.calibrate.page_constants import constants_page

        constants_page(self.pool, self.path, screen)

    def as_json(self) -> dict[str, Any]:
        """The content of the constants file."""
        return self.pool.as_dict()
