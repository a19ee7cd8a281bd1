"""Torchtitan's metrics get joules, joules a token and our MFU, and every rank its record.

The package itself is used where it imports. Elsewhere its protocol stands in, as release 0.3.0 has
it in torchtitan/components/metrics.py: the names that `MetricsProcessor.log` hands to its logger,
what it has counted when it does, and that it starts counting anew afterwards.
"""

import time
from types import SimpleNamespace

import pytest

import energy
from energy import RunRecord
from energy.callbacks.torchtitan import meter
from energy.errors import InputError

METRICS = ("loss_metrics/global_avg_loss", "throughput(tps)", "tflops", "mfu(%)")
"""Some names of release 0.3.0."""


class Recorded:
    """What a logger of torchtitan is: `log(metrics, step)` and `close()`."""

    def __init__(self):
        self.logs, self.closed = [], False

    def log(self, metrics, step):
        self.logs.append((step, metrics))

    def close(self):
        self.closed = True


class Protocol:
    """`MetricsProcessor` of release 0.3.0, as far as a logger sees it."""

    def __init__(self):
        self.logger, self.ntokens_since_last_log = Recorded(), 0
        self.gpu_peak_flops, self.num_flops_per_token = 1e12, 1
        self.parallel_dims = SimpleNamespace(non_data_parallel_size=2)
        self.time_last_log = time.perf_counter()

    def log(self, step, loss, *_):
        seconds = time.perf_counter() - self.time_last_log
        tps = self.ntokens_since_last_log / (seconds * self.parallel_dims.non_data_parallel_size)
        self.logger.log(dict(zip(METRICS, (loss, tps, 0.0, 0.0), strict=True)), step)
        self.ntokens_since_last_log, self.time_last_log = 0, time.perf_counter()

    def log_validation(self, loss, step):
        self.logger.log({"validation_metrics/loss": loss}, step)

    def close(self):
        self.logger.close()


def released():
    """The package's own processor, without the devices that it wants, and with its container."""
    metrics = pytest.importorskip("torchtitan.components.metrics")
    processor = object.__new__(metrics.MetricsProcessor)
    memory = metrics.DeviceMemStats(0, 0, 0, 0, 0, 0)
    processor.__dict__ |= {
        **Protocol().__dict__,
        "logger": metrics.LoggerContainer(),
        "config": metrics.MetricsProcessor.Config(),
        "data_loading_times": [0.1],
        "color": metrics.utils.NoColor(),
        "has_quantization": False,
        "device_memory_monitor": SimpleNamespace(
            get_peak_stats=lambda: memory, reset_peak_stats=lambda: None
        ),
    }
    processor.logger.add_logger(recorded := Recorded())
    return processor, recorded


def protocol():
    processor = Protocol()
    return processor, processor.logger


@pytest.mark.parametrize("make", [protocol, released])
@pytest.mark.filterwarnings("ignore")
def test_a_run_of_torchtitan_has_joules_beside_its_own_metrics(make, tmp_path, monkeypatch):
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1}.items():
        monkeypatch.setenv(name, str(value))
    processor, recorded = make()
    shape = energy.model("glam-1.7b").shape
    meter(processor, tmp_path, shape=shape, meters=["cpu_model"], interval_s=0.05)
    per_token = sum(map(float, energy.model_flop(shape, "causal").values()))
    for step in (1, 2, 3):
        processor.ntokens_since_last_log += 4096
        time.sleep(0.15)  # a few samples of the meter
        processor.log(step, 2.0, 2.0, 1.0)
        getattr(processor, "data_loading_times", []).append(0.1)
    processor.log_validation(2.0, 3)
    processor.close()
    assert recorded.closed
    assert [step for step, _ in recorded.logs] == [1, 2, 3, 3]
    _, last = recorded.logs[2]
    assert set(METRICS) <= set(last)
    assert last["energy/joules"] > 0
    assert last["energy/j_per_token"] == pytest.approx(last["energy/energy_interval_j"] / 2048)
    assert last["energy/mfu(%)"] == pytest.approx(100 * per_token * last[METRICS[1]] / 1e12)
    assert not any(name.startswith("energy/") for name in recorded.logs[3][1])
    record = RunRecord.load(tmp_path / "rank-1")
    assert record.tokens.value == 3 * 2048
    assert record.model_flop.value == pytest.approx(3 * 2048 * per_token)
    assert {w.name: w.count for w in record.windows} == {"steps": 5}


def test_what_is_no_metrics_processor_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="without logger"):
        meter(SimpleNamespace(), tmp_path / "a")
    for wrong in ({"flop_per_token": -1.0}, {"flop_per_token": 1.0, "shape": object()}):
        with pytest.raises(InputError):
            meter(Protocol(), tmp_path / "a", **wrong)
    assert not (tmp_path / "a").exists()
