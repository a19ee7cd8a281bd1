"""Sensors of servers: hwmon from a tree of files, the management controller from a program."""

import stat

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
