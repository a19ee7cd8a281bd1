"""The AMD meter, against a stand-in for amdsmi that prints, as the real one does."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from energy.meters.amd import Amd
from energy.meters.amd_boards import listed
from tests.support.standin import write_tree

AMDSMI = """
import os, time
print("loading")
os.write(1, b"WARNING from the library\\n")
WATTS = {watts}
FROZEN, IDS, NODES = {frozen}, {ids}, {addresses}
class AmdSmiException(Exception): pass
def amdsmi_init(): print("init")
def amdsmi_shut_down(): pass
def amdsmi_get_processor_handles(): return list(range(len(WATTS)))
def amdsmi_get_gpu_device_uuid(handle): return f"uuid-{{handle}}"
def amdsmi_get_gpu_device_bdf(handle): return NODES[handle] if NODES else ""
def amdsmi_get_power_info(handle): return {{"current_socket_power": WATTS[handle]}}
def amdsmi_get_power_cap_info(handle): return {{"max_power_cap": {cap}}}
def amdsmi_get_energy_count(handle):
    seconds = 5.0 if handle in FROZEN else time.monotonic()
    return {{"energy_accumulator": seconds * 300 / 15.3e-6, "counter_resolution": 15.3}}
def amdsmi_get_gpu_enumeration_info(handle):
    if not IDS: raise AmdSmiException
    return {{"hip_id": IDS[handle], "hip_uuid": f"GPU-{{handle:016x}}"}}
"""


@pytest.fixture
def amdsmi(tmp_path, monkeypatch):
    """Puts a stand-in for amdsmi on the path."""

    def put(watts, *, frozen=(), ids=(), addresses=(), cap=750_000_000):
        text = AMDSMI.format(
            watts=list(watts), frozen=frozen, ids=ids, addresses=addresses, cap=cap
        )
        (tmp_path / "amdsmi.py").write_text(text)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    yield put
    sys.modules.pop("amdsmi", None)
    importlib.invalidate_caches()


def probed(folder, nodes=Path("/no/nodes"), **environment):
    meter = Amd(folder, check_s=0.05, environment=environment, nodes=nodes)
    domains = meter.probe()
    meter.close()
    return domains


def numbers(domains):
    return [int(domain.id.removeprefix("uuid-")) for domain in domains]


@pytest.mark.parametrize(
    ("watts", "frozen", "method", "reason"),
    [
        ([300.0, 300.0], (), "counter", ""),
        ([300.0, 300.0], (1,), "power", ""),
        ([300.0, 0.0], (1,), "counter", "its twin die reports for both"),
    ],
    ids=["both good", "a frozen counter", "an odd die"],
)
def test_an_amd_counter_is_only_used_if_it_agrees_with_power(
    tmp_path, amdsmi, watts, frozen, method, reason
):
    amdsmi(watts, frozen=frozen)
    a, b = probed(tmp_path)
    assert (a.method, a.origin) == ("counter", "measured")
    assert b.reason == reason
    assert reason or b.method == method


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({}, [0, 1, 2, 3]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        ({"ROCR_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-0000000000000003"}, [3]),
        ({"ROCR_VISIBLE_DEVICES": "1,GPU-XX,2"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"HIP_VISIBLE_DEVICES": ""}, [0, 1, 2, 3]),
        ({"CUDA_VISIBLE_DEVICES": "3"}, [3]),
        ({"CUDA_VISIBLE_DEVICES": "3", "HIP_VISIBLE_DEVICES": "2"}, [2]),
        ({"ROCR_VISIBLE_DEVICES": "3,2", "HIP_VISIBLE_DEVICES": "1"}, [2]),
    ],
)
def test_only_gpus_that_rocm_shows_are_read(tmp_path, amdsmi, environment, seen):
    amdsmi([300.0] * 4, ids=(0, 1, 2, 3))
    assert numbers(probed(tmp_path, **environment)) == seen


def kernel(root, locations):
    """Compute nodes of a processor and of GPUs at these PCI locations."""
    write_tree(root, {"0/properties": "simd_count 0\nlocation_id 0"})
    for node, location in enumerate(locations, start=1):
        properties = f"simd_count 304\nlocation_id {location}\ndomain 0\nunique_id {node + 255}"
        write_tree(root, {f"{node}/properties": properties})
    return root


def test_an_index_counts_in_hips_order_and_not_in_that_of_amdsmi(tmp_path, amdsmi):
    amdsmi([300.0] * 2, ids=(1, 0))
    assert numbers(probed(tmp_path, HIP_VISIBLE_DEVICES="0")) == [1]


def test_before_rocm_6_4_the_order_and_the_names_are_the_kernels(tmp_path, amdsmi):
    amdsmi([300.0] * 2, addresses=("0000:c1:00.0", "0000:41:00.0"))
    nodes = kernel(tmp_path / "nodes", [0x4100, 0xC100])
    assert numbers(probed(tmp_path, nodes, HIP_VISIBLE_DEVICES="0")) == [1]
    assert numbers(probed(tmp_path, nodes, ROCR_VISIBLE_DEVICES="gpu-0000000000000101")) == [0]


def test_an_order_that_nothing_states_is_an_estimate_and_says_so(tmp_path, amdsmi):
    amdsmi([300.0] * 2)
    (shown,) = probed(tmp_path, HIP_VISIBLE_DEVICES="1")
    assert "estimated" in shown.api
    assert not any("estimated" in domain.api for domain in probed(tmp_path))


@pytest.mark.parametrize("die", ["0", "1"])
def test_of_two_dies_the_one_that_reports_is_read_whichever_the_run_uses(tmp_path, amdsmi, die):
    amdsmi([300.0, 0.0], frozen=(1,), ids=(0, 1))
    (domain,) = probed(tmp_path, ROCR_VISIBLE_DEVICES=die)
    assert (domain.id, domain.origin) == ("uuid-0", "measured")
    assert "both dies" in domain.api


@pytest.mark.parametrize("cap", [750, 750_000_000])
def test_the_greatest_power_cap_is_the_limit_in_either_unit(tmp_path, amdsmi, cap):
    amdsmi([300.0], cap=cap)
    (domain,) = probed(tmp_path)
    assert domain.limit_w == 750


def test_a_node_with_a_garbled_properties_file_is_passed_over(tmp_path):
    write_tree(tmp_path, {"1/properties": "simd_count many\nlocation_id", "2/gpu_id": "7"})
    (gpu,) = listed(lambda name, handle: None, ["handle"], tmp_path)
    assert (gpu.id, gpu.index) == ("amd-gpu-0", None)


DOCTOR = """
import sys
from pathlib import Path
from energy.meters import sources
sources.SOURCES = {"amd": lambda: sources.Amd(driver=Path("/"), check_s=0.05)}
sys.argv = ["energy", "doctor", "--seconds", "0.1", "--json"]
from energy.cli import main
main()
"""


def doctor(folder):
    run = subprocess.run(
        [sys.executable, "-c", DOCTOR],
        env={"PYTHONPATH": f"{folder}:{Path.cwd()}", "ROCM_PATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
    )
    (row,) = json.loads(run.stdout)["meters"]
    return row


def test_the_doctor_prints_json_whatever_amdsmi_prints(tmp_path, amdsmi):
    amdsmi([300.0])
    assert doctor(tmp_path)["origin"] == "measured"


def test_a_library_that_is_not_there_is_named_with_what_brings_it(tmp_path):
    (tmp_path / "amdsmi.py").write_text(
        "print('Unable to find libamd_smi.so library')\n{}['libamd_smi.so']\n"
    )
    row = doctor(tmp_path)
    assert "Unable to find libamd_smi.so" in row["why"]
    assert row["fix"].startswith("install amd-smi-lib")
    (tmp_path / "amdsmi.py").unlink()
    (tmp_path / "share" / "amd_smi").mkdir(parents=True)
    row = doctor(tmp_path)
    assert "No module named 'amdsmi'" in row["why"]
    assert row["fix"] == f"pip install {tmp_path}/share/amd_smi"
