"""Sensors of servers: hwmon from a tree of files, the management controller from a program."""

import stat

import pytest

from energy.ledger.plausible import Bound, Sleeps
from energy.meters.hwmon import Hwmon
from energy.meters.node import Node, watts_of
from tests.support.standin import write_tree


def test_a_grace_module_contains_its_processor_and_a_plain_meter_is_the_node(tmp_path):
    write_tree(
        tmp_path,
        {
            "hwmon0/name": "power_meter",
            "hwmon0/power1_average": 500_000_000,
            "hwmon0/power1_oem_info": "Module Power Socket 0",
            "hwmon1/name": "power_meter",
            "hwmon1/power1_average": 120_000_000,
            "hwmon1/power1_oem_info": "Grace Power Socket 0",
            "hwmon2/name": "power_meter",
            "hwmon2/power1_average": 900_000_000,
            "hwmon3/name": "nvme",
            "hwmon3/power1_average": 5_000_000,
        },
    )
    meter = Hwmon(tmp_path)
    domains = {domain.id: domain for domain in meter.probe()}
    assert domains["cpu-0"].within == "module-0"
    assert domains["node-hwmon2-power1"].boundary == "node"
    assert meter.watts() == {"module-0": 500, "cpu-0": 120, "node-hwmon2-power1": 900}
    assert meter.read() == {}


def test_an_energy_file_is_read_as_a_counter(tmp_path):
    write_tree(
        tmp_path,
        {
            "hwmon0/name": "amd_energy",
            "hwmon0/energy17_input": 7_000_000,
            "hwmon0/energy17_label": "Esocket0",
        },
    )
    meter = Hwmon(tmp_path)
    (domain,) = meter.probe()
    assert (domain.kind, domain.method, meter.read()["cpu-0"]) == ("cpu", "counter", 7.0)


def test_a_sensor_that_cannot_be_read_is_missing_with_its_fix(tmp_path):
    write_tree(
        tmp_path,
        {
            "hwmon0/name": "power_meter",
            "hwmon0/power1_average": "",
            "hwmon1/name": "amd_energy",
            "hwmon1/energy1_input": 3_000_000,
        },
    )
    meter = Hwmon(tmp_path)
    node, cpu = meter.probe()
    assert (node.id, node.origin) == ("node-hwmon0-power1", "missing")
    assert node.reason
    assert node.fix == f"sudo chmod o+r {tmp_path}/hwmon0/power1_average"
    assert (cpu.id, cpu.origin) == ("cpu-0", "measured")
    assert meter.read() == {"cpu-0": 3.0}


def test_a_grace_processor_contains_its_rails_and_lies_in_its_module(tmp_path):
    labels = ["Module", "Grace", "CPU", "SysIO"]
    for number, label in enumerate(labels):
        write_tree(
            tmp_path / f"hwmon{number}",
            {
                "name": "power_meter",
                "power1_average": 90_000_000,
                "power1_oem_info": f"{label} Power Socket 1",
            },
        )
    assert {d.id: d.within for d in Hwmon(tmp_path).probe()} == {
        "module-1": None,
        "cpu-1": "module-1",
        "cpu-rail-1": "cpu-1",
        "sysio-1": "cpu-1",
    }


def test_cores_are_not_read_beside_the_socket_that_contains_them(tmp_path):
    write_tree(
        tmp_path / "hwmon0",
        {
            "name": "amd_energy",
            "energy1_input": 1_000_000,
            "energy1_label": "Ecore000",
            "energy2_input": 9_000_000,
            "energy2_label": "Esocket1",
        },
    )
    meter = Hwmon(tmp_path)
    assert [domain.id for domain in meter.probe()] == ["cpu-1"]
    assert meter.read() == {"cpu-1": 9.0}


@pytest.mark.parametrize("driver", ["i915", "xe"])
def test_an_intel_card_is_a_counter_of_microjoules_with_its_own_limit(tmp_path, driver):
    card = tmp_path / "devices" / "0000:03:00.0"
    write_tree(
        tmp_path / "hwmon" / "hwmon4",
        {
            "name": driver,
            "energy1_input": 5_000_000,
            "power1_max": 0,
            "power1_rated_max": 225_000_000,
            **({"energy1_label": "card", "energy2_label": "pkg"} if driver == "xe" else {}),
            **({"energy2_input": 3_000_000} if driver == "xe" else {}),
        },
    )
    card.mkdir(parents=True)
    (tmp_path / "hwmon" / "hwmon4" / "device").symlink_to(card)
    meter = Hwmon(tmp_path / "hwmon", tmp_path)
    first, *parts = meter.probe()
    assert (first.id, first.kind, first.limit_w) == ("gpu-0000:03:00.0", "gpu", 225.0)
    assert meter.read()[first.id] == 5.0
    assert [(d.id, d.within) for d in parts] == (
        [("gpu-0000:03:00.0/pkg", first.id)] if driver == "xe" else []
    )


def test_a_jetsons_rails_are_volts_times_amperes_within_the_module(tmp_path):
    write_tree(
        tmp_path / "hwmon1",
        {
            "name": "ina3221",
            "in1_label": "VDD_IN",
            "in1_input": 5000,
            "curr1_input": 2400,
            "in2_label": "VDD_CPU_GPU_CV",
            "in2_input": 5000,
            "curr2_input": 1000,
            "in3_label": "VDD_SOC",
            "in3_input": 5000,
            "curr3_input": 300,
            "in7_label": "sum of shunt voltages",
            "in7_input": 12,
        },
    )
    write_tree(tmp_path / "hwmon2", {"name": "ina3221", "in1_label": "NC", "in1_input": 0})
    meter = Hwmon(tmp_path, tmp_path)
    domains = {domain.id: domain for domain in meter.probe()}
    assert meter.watts() == {"module": 12.0, "cpu-gpu-cv": 5.0, "rail-VDD_SOC": 1.5}
    assert domains["module"].within is None
    assert domains["rail-VDD_SOC"].within == "module"
    assert meter.poll_s() == 0.1


def test_the_rails_of_an_older_jetson_are_milliwatts(tmp_path):
    write_tree(
        tmp_path / "iio:device0",
        {"name": "ina3221x", "rail_name_0": "POM_5V_IN", "in_power0_input": 3500},
    )
    meter = Hwmon(tmp_path / "none", tmp_path)
    meter.probe()
    assert meter.watts() == {"module": 3.5}


def test_rails_without_a_total_are_added(tmp_path):
    names = ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
    write_tree(
        tmp_path / "hwmon1",
        {"name": "ina3221", **{f"in{i}_label": name for i, name in enumerate(names, 1)}}
        | {f"in{i}_input": 5000 for i in (1, 2, 3)}
        | {f"curr{i}_input": 1000 for i in (1, 2, 3)},
    )
    assert {domain.within for domain in Hwmon(tmp_path, tmp_path).probe()} == {None}


def test_a_power_above_the_limit_is_left_to_the_reader_and_a_negative_one_is_none(tmp_path):
    write_tree(
        tmp_path / "hwmon0",
        {"name": "power_meter", "power1_average": 500_000_000, "power1_cap_max": 1_200_000_000},
    )
    meter = Hwmon(tmp_path)
    (domain,) = meter.probe()
    assert domain.limit_w == 1200
    write_tree(tmp_path / "hwmon0", {"power1_average": 10**30})
    watts = meter.watts()["node-hwmon0-power1"]
    bound = Bound.of(domain.as_dict(), Sleeps())
    assert bound.allows_w(1300)
    assert not bound.allows_w(watts)
    write_tree(tmp_path / "hwmon0", {"power1_average": -1})
    assert meter.watts() == {"node-hwmon0-power1": None}


def program(folder, text):
    file = folder / "ipmitool"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return (str(file),)


def test_the_controller_is_queried_in_a_child_that_nobody_waits_for(tmp_path):
    command = program(tmp_path, "echo '    Instantaneous power reading:   220 Watts'")
    meter = Node(command, devices=(str(tmp_path),))
    (domain,) = meter.probe()
    assert domain.boundary == "node"
    readings = [meter.watts()]
    while not readings[-1]:
        readings.append(meter.watts())
    meter.close()
    assert readings[0] == {}
    assert readings[-1] == {"node": 220}
    assert meter.read() == {}
    assert watts_of("DCMI not supported") is None


def test_a_controller_that_refuses_access_is_missing_with_its_fix(tmp_path):
    command = program(tmp_path, "echo 'Could not open device at /dev/ipmi0' >&2; exit 1")
    (domain,) = Node(command, devices=(str(tmp_path),)).probe()
    assert (domain.origin, domain.reason) == ("missing", "permission")
    assert domain.fix


ANSWER = """
    Instantaneous power reading:                   {watts} Watts
    Minimum during sampling period:                 18 Watts
    Sampling period:                          00000005 Seconds.
    Power reading state is:                   {state}
"""


@pytest.mark.parametrize(
    ("watts", "state", "reading"),
    [
        (220, "activated", 220.0),
        (0, "deactivated", None),
        (235, "deactivated", None),
        (0, "activated", None),
    ],
)
def test_a_measurement_that_is_deactivated_is_missing_and_not_0(tmp_path, watts, state, reading):
    answer = ANSWER.format(watts=watts, state=state)
    assert watts_of(answer) == reading
    (domain,) = Node(program(tmp_path, f"cat <<E\n{answer}\nE"), (str(tmp_path),)).probe()
    assert (domain.origin == "missing") == (reading is None)
    assert ("deactivated" in domain.reason) == (state == "deactivated")
