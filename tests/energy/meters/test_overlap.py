"""Of two meters of one thing the first counts."""

from energy.meters.base import Domain
from energy.meters.overlap import without_overlap


def domain(meter, name, kind, within=None, **more):
    boundary = "node" if kind == "node" else "chip"
    return Domain(id=name, kind=kind, boundary=boundary, within=within, meter=meter, **more)


RAPL = [domain("rapl", "cpu-package-0", "cpu")]
SUPERCHIPS = [
    domain("nvml", f"GPU-{i}{part}", kind)
    for i in range(2)
    for part, kind in (("", "gpu"), ("/module", "module"))
]


def test_amds_sensors_are_left_out_where_rapl_reads_the_same_counters():
    assert without_overlap([domain("hwmon", "cpu-0", "cpu")], RAPL) == []


def test_a_counter_that_cannot_be_read_leaves_nothing_out():
    missing = [domain("rapl", "cpu-package-0", "cpu", reason="permission")]
    own = [domain("hwmon", "cpu-0", "cpu")]
    assert without_overlap(own, missing) == own


def test_an_intel_card_stands_beside_a_board_of_another_vendor():
    own = [domain("hwmon", "gpu-0000:03:00.0", "gpu")]
    assert without_overlap(own, [domain("nvml", "GPU-0", "gpu")]) == own


def test_a_blades_accelerators_are_left_out_where_the_boards_have_counters():
    own = [domain("cray", "cray-node", "node"), domain("cray", "cray-accel0", "gpu", "cray-node")]
    assert without_overlap(own, [domain("amd", "amd-0", "gpu")]) == own[:1]


def test_a_node_has_one_power():
    controller = [domain("node", "node", "node")]
    assert without_overlap(controller, [domain("cray", "cray-node", "node")]) == []
    assert without_overlap(controller, [domain("cmd:plug", "plug", "node")]) == []
    two = [domain("cmd:plug#2", "plug#2", "node")]
    assert without_overlap(two, [domain("cmd:plug", "plug", "node")]) == two


def test_processors_of_a_superchip_lie_within_the_module_that_the_board_reports():
    own = [
        domain("hwmon", "module-0", "module"),
        domain("hwmon", "cpu-0", "cpu", "module-0"),
        domain("hwmon", "module-1", "module"),
        domain("hwmon", "cpu-1", "cpu", "module-1"),
    ]
    kept = without_overlap(own, SUPERCHIPS)
    assert {d.id: d.within for d in kept} == {"cpu-0": "GPU-0/module", "cpu-1": "GPU-1/module"}
    # Which module is which is not known if their numbers differ.
    assert without_overlap(own[:2], SUPERCHIPS) == []


def test_parts_of_a_node_that_is_left_out_are_still_read():
    own = [domain("cray", "cray-node", "node"), domain("cray", "cray-cpu", "cpu", "cray-node")]
    plugs = [domain("cmd:plug", f"plug/{name}", "node") for name in "ab"]
    assert without_overlap(own, plugs[:1]) == [domain("cray", "cray-cpu", "cpu", "plug/a")]
    assert without_overlap(own, plugs) == [domain("cray", "cray-cpu", "cpu")]
