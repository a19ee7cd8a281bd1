"""A job's joules by Slurm agree with the meter of the same node within the two bands."""

import math

import pytest
from typer.testing import CliRunner

from energy.cli import command
from energy.importers.imported import NODE_METER
from energy.meters.waveform import integral_j
from energy.record import RunRecord
from tests.support.ledgers import domain, end, header, record_of, sample


@pytest.mark.parametrize("gain", [0.93, 1.0, 1.07])
def test_slurms_samples_of_a_node_agree_with_its_replayed_meter(gain, tmp_path):
    """Slurm reads the power every 30 s (AcctGatherNodeFreq); the ledger has a counter at 1 Hz."""
    wave = [(float(t), 900.0 + 600.0 * math.sin(t / 37.0)) for t in range(3600)]
    node = domain("node", kind="node", boundary="node", limit_w=20_000.0)
    rows = [header([node]), *(sample(t, integral_j(wave[: t + 1], t)) for t in range(0, 3601, 30))]
    metered = record_of(tmp_path / "meter", [*rows, end(3600)])
    joules = round(sum(gain * wave[t][1] * 30 for t in range(0, 3600, 30)))
    table = (
        "JobID|Start|Elapsed|NNodes|ConsumedEnergyRaw\n"
        f"71|2026-05-01T08:00:00|01:00:00|1|{joules}\n"
        f"71.batch|2026-05-01T08:00:00|01:00:00|1|{joules}\n"
        f"71.0|2026-05-01T08:00:02|00:59:58|1|{joules - 800}\n"
    )
    (tmp_path / "sacct.txt").write_text(table)
    words = ["import", str(tmp_path / "sacct.txt"), "--out", str(tmp_path / "job")]
    assert CliRunner().invoke(command(), words).exit_code == 0
    job = RunRecord.load(tmp_path / "job").totals["node"]
    meter = metered.totals["node"]
    assert job.value == pytest.approx(joules), "steps are parts of the job"
    assert job.low <= meter.high
    assert meter.low <= job.high
    assert job.low == pytest.approx(joules * NODE_METER[0], rel=1e-3)
