"""What stands in a machine and no meter reads is named with its reason and its mend."""

import json
import subprocess
import sys

import pytest

from energy.meters.files import fact_rows
from energy.meters.unread import Reading, unread
from tests.support.standin import write_tree

ROWS = fact_rows("unread_devices.csv")


def pci(root, *devices):
    """A PCI bus with devices: vendor, class and, if it matters, address."""
    for number, (vendor, kind, *address) in enumerate(devices):
        folder = address[0] if address else f"0000:{number + 16:02x}:00.0"
        write_tree(
            root / "sys/bus/pci/devices" / folder, {"vendor": vendor, "class": kind, "device": 1}
        )


@pytest.mark.parametrize(
    ("device", "name"),
    [
        (("0x1da3", "0x120000"), "Intel Gaudi"),
        (("0x8086", "0x030000"), "Intel GPU"),
        (("0x8086", "0x038000"), "Intel GPU"),
        (("0x8086", "0x030000", "0000:00:02.0"), "Intel graphics of the processor"),
        (("0x10de", "0x030200"), "NVIDIA GPU"),
        (("0x10de", "0x068000"), "NVSwitch"),
        (("0x1002", "0x120000"), "AMD GPU"),
        (("0x1234", "0x120000"), "accelerator of an unknown maker"),
        (("0x15b3", "0x020700"), "InfiniBand adapter"),
    ],
)
def test_a_device_on_the_bus_is_named_with_its_reason_and_its_mend(tmp_path, device, name):
    pci(tmp_path, device, ("0x1af4", "0x020000"), ("0x8086", "0x060000"))
    (seen,) = unread([], tmp_path)
    assert seen.name == name
    assert seen.why
    assert seen.fix


def test_devices_of_a_kind_are_one_entry_with_all_their_places(tmp_path):
    pci(tmp_path, *[("0x1da3", "0x120000")] * 8)
    (seen,) = unread([], tmp_path)
    assert len(seen.places) == 8


@pytest.mark.parametrize(
    ("device", "reading"),
    [
        (("0x10de", "0x030200"), Reading("nvml", "gpu", "")),
        (("0x1002", "0x030000"), Reading("amd", "gpu", "")),
        (("0x8086", "0x038000"), Reading("hwmon", "gpu", "")),
        (("0x1ae0", "0x120000"), Reading("tpu", "tpu", "")),
    ],
)
def test_what_a_meter_reads_is_not_named(tmp_path, device, reading):
    pci(tmp_path, device)
    assert unread([reading], tmp_path) == []
    assert len(unread([Reading("rapl", "cpu", "")], tmp_path)) == 1


def test_a_management_controller_without_its_driver_is_seen_in_the_tables_of_the_firmware(tmp_path):
    write_tree(tmp_path, {"sys/firmware/dmi/entries/38-0/type": 38})
    (seen,) = unread([], tmp_path)
    assert "ipmi_si" in seen.fix
    assert unread([Reading("node", "node", "IPMI")], tmp_path) == []


def test_a_power_sensor_of_an_unknown_driver_is_named_and_a_known_one_is_not(tmp_path):
    write_tree(
        tmp_path / "sys/class/hwmon",
        {
            "hwmon0/name": "corsairpsu",
            "hwmon0/power1_input": 1,
            "hwmon1/name": "power_meter",
            "hwmon1/power1_average": 1,
            "hwmon2/name": "coretemp",
            "hwmon2/temp1_input": 1,
            "hwmon3/name": "amdgpu",
            "hwmon3/power1_average": 1,
        },
    )
    known = [Reading("hwmon", "node", "hwmon power_meter p"), Reading("amd", "gpu", "amdsmi")]
    assert [seen.name for seen in unread(known, tmp_path)] == ["power sensor corsairpsu"]
    assert [seen.name for seen in unread(known[:1], tmp_path)][1:] == ["AMD GPU"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["match"])
def test_every_row_of_the_table_has_a_reason_a_mend_and_a_source(row):
    assert row["look_in"] in ("pci", "file", "hwmon")
    assert all(row[name] for name in ("match", "name", "unless", "why", "fix", "source", "status"))


def test_the_doctor_says_it_in_words_and_in_json():
    command = [sys.executable, "-m", "energy", "doctor", "--seconds", "0.1"]
    words = subprocess.run(command, capture_output=True, text=True).stdout
    answer = subprocess.run([*command, "--json"], capture_output=True, text=True).stdout
    devices = json.loads(answer)["unread"]
    assert words.count("seen, not read") == len(devices)
