"""The samples of logs, and what an import of each needs and gives."""

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Sample:
    """A log and what is known of it.

    Attributes:
        kind: that it must be taken for.
        file: in `data`.
        joules: of its devices, by hand from the log.
        boundary: of these joules.
        options: that an import needs.
        relative: how far the joules may be off: 0 where the log states them.
    """

    kind: str
    file: str
    joules: float
    boundary: str
    options: tuple[str, ...] = ()
    relative: float = 1e-6


SAMPLES = (
    # 72 W x 8 boards x 0.301 s.
    Sample("nvidia-smi", "nvidia-smi.csv", 571.4 * 0.302, "chip", ("--chips", "8"), 0.01),
    # 0.061 s at 77.6 W and 0.204 s at 205 W in the order of the lines; the sensor trails.
    Sample("nvidia-smi", "nvidia-smi-one.csv", 0.265 * 180, "chip", (), 0.2),
    # (238 + 242 + 246 + 242) W for a second
    Sample("amd-smi", "amd-smi.csv", 968.0, "chip", (), 0.01),
    # (48,492,962 - 48,376,897 + 48,776,627 - 48,500,605) mJ
    Sample("prometheus", "prometheus.json", 392.087, "chip"),
    # 0.050729394934847696 kWh
    Sample("codecarbon", "codecarbon.csv", 182_625.8, "chip"),
    # (560 + 270) J x 2 boards; three steps are parts of the epoch
    Sample("zeus", "zeus.csv", 1660.0, "chip"),
    # The square wave of 400 and 100 W has a mean of 250 W; one reading a second may miss it.
    Sample("perun", "perun_2026-11-29T09:38:56.299012.csv", 500 * 3.596, "chip", (), 0.6),
    # 2 boards x 300 W x 4 s
    Sample("carbontracker", "carbontracker.log", 2400.0, "chip"),
    # 4.58 MJ
    Sample("sacct", "sacct.txt", 4.58e6, "node"),
    # (1992.5 + 1982.6 + 1980.1) J x 8 boards
    Sample("megatron", "megatron.log", 47_641.6, "chip", ("--chips", "8")),
    # 11.778 + 10.907 + 11.311 W, each for the second before it
    Sample("mlperf", "mlperf.txt", 33.99685, "node"),
    Sample("ptd", "ptd.txt", 387.8 * 0.936, "node", (), 0.05),
    Sample("ipmi", "ipmi.txt", 311.9 * 5, "node", (), 0.02),
    Sample("chip-hours", "chip-hours.csv", 184_320 * 3600 * 400.0, "chip"),
)
