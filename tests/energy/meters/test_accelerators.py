"""The TPU meter, against a tree of PCI files and small programs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy.meters.tpu import Tpu
from tests.support.standin import write_tree


def bus(root, device):
    """A PCI bus with a TPU and a device of another vendor."""
    write_tree(
        root,
        {
            "0000:00:05.0/vendor": "0x1ae0",
            "0000:00:05.0/device": device,
            "0000:00:05.0/subsystem_device": "0x0050",
            "0000:00:06.0/vendor": "0x8086",
        },
    )
    return root


def next_watts(meter):
    """The next watts of the chip that the meter reports."""
    while not (reading := meter.watts()):
        time.sleep(0.02)
    return reading["tpu-0"]


def monitor(**metrics):
    """A program that prints what libtpu tells of one chip, and then hangs."""
    lists = {"duty": [], "utilisation": [], "idle_s": [], **metrics}
    return f"print({json.dumps(json.dumps(lists))}, flush=True); import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("metrics", "watts"),
    [
        ({"duty": [50.0]}, (90 + 192) / 2),
        ({"duty": [100.0], "utilisation": [40.0]}, 90 + 0.7 * 102),
        ({"duty": [100.0], "utilisation": [30.0, 50.0]}, 90 + 0.7 * 102),
        ({"utilisation": [100.0]}, 192),
        ({"duty": [80.0], "idle_s": [5.0]}, 90),
        ({"duty": [80.0], "idle_s": [5.0, 0.2]}, 90 + 0.8 * 102),
        ({"duty": [180.0]}, None),
        ({"duty": []}, None),
        ({"duty": ["none"]}, None),
    ],
    ids=[
        "duty cycle",
        "busy at a low utilisation",
        "two cores",
        "utilisation alone",
        "idle for longer than a second",
        "one of two cores idle",
        "a duty cycle that cannot be",
        "nothing",
        "text",
    ],
)
def test_a_tpu_is_modelled_from_what_libtpu_tells_and_published_watts(tmp_path, metrics, watts):
    meter = Tpu(bus(tmp_path, "0x005e"), monitor(**metrics))
    (domain,) = meter.probe()
    assert (domain.origin, domain.method, domain.limit_w) == ("modelled", "power", 192)
    assert next_watts(meter) == pytest.approx(watts)
    assert meter.watts() == {}
    meter.close()


def test_the_monitor_reads_the_metrics_of_libtpu_by_name(tmp_path, monkeypatch):
    package = tmp_path / "libtpu" / "sdk"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "tpumonitoring.py").write_text(
        "class Metric:\n"
        "    def __init__(self, data): self._data = data\n"
        "    def data(self): return self._data\n"
        "def get_metric(name):\n"
        "    return Metric({'duty_cycle_pct': ['100.0'], 'tensorcore_util': ['60.00'],\n"
        "                   'idle_duration': ['tensorcore_0-0: 0.5']}[name])\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    meter = Tpu(bus(tmp_path / "pci", "0x005e"))
    meter.probe()
    assert next_watts(meter) == pytest.approx(90 + 0.8 * 102)
    meter.close()


def test_the_network_cards_and_disks_of_its_cloud_are_no_tpus(tmp_path):
    for address, kind in (("04.0", "0x020000"), ("03.0", "0x010802")):
        write_tree(
            tmp_path,
            {
                f"0000:00:{address}/vendor": "0x1ae0",
                f"0000:00:{address}/device": "0x0042",
                f"0000:00:{address}/class": kind,
            },
        )
    assert Tpu(tmp_path).probe() == []


def test_an_ironwood_chip_is_known_and_missing_while_its_watts_are_not_published(tmp_path):
    (domain,) = Tpu(bus(tmp_path, "0x0076")).probe()
    assert (domain.origin, domain.reason) == ("missing", "no published watts for tpu-v7")


@pytest.mark.parametrize("printed", ["", monitor(duty=[100.0])], ids=["never", "once"])
def test_a_monitor_that_tells_no_duty_cycle_leaves_a_gap_and_no_watts(
    tmp_path, monkeypatch, printed
):
    monkeypatch.setattr("energy.meters.tpu.STALE_S", 0.1)
    meter = Tpu(bus(tmp_path, "0x005e"), printed or "import time; time.sleep(60)")
    meter.probe()
    readings = [next_watts(meter) for _ in range(100)]
    meter.close()
    assert readings[-1] is None
    assert set(readings) <= {192, None}


def test_a_monitor_that_hangs_ends_with_its_sampler(tmp_path):
    code = (
        "import os, pathlib, sys, time; from energy.meters.tpu import Tpu\n"
        "meter = Tpu(pathlib.Path(sys.argv[1]),\n"
        "            'import os, time; print(os.getpid(), flush=True); time.sleep(60)')\n"
        "meter.probe()\n"
        "while not (lines := meter._program.lines()): time.sleep(0.02)\n"
        "print(lines[0], flush=True); os.kill(os.getpid(), 9)"
    )
    pci = bus(tmp_path, "0x005e")
    run = subprocess.run([sys.executable, "-c", code, str(pci)], capture_output=True, text=True)
    child = Path(f"/proc/{int(run.stdout)}/stat")
    for _ in range(100):
        # A zombie that nobody has waited for yet is dead too.
        if not child.exists() or child.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return
        time.sleep(0.02)
    raise AssertionError("the monitor outlived its sampler")


def test_a_tpu_without_published_watts_is_missing_and_not_zero(tmp_path):
    meter = Tpu(bus(tmp_path, "0x0063"))
    (domain,) = meter.probe()
    assert domain.origin == "missing"
    assert meter.read() == {}
