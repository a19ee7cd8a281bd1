"""The most watts of each device, from its driver or its name plate."""

import pytest

from energy.meters.cpu_model import CpuModel
from energy.meters.limits import name_plate_w
from energy.meters.rapl import Rapl
from tests.energy.meters.test_visible import probed
from tests.support.standin import powercap, write_tree

RANGE_UJ = 262_143_328_850


def test_a_board_draws_at_most_what_its_driver_lets_a_user_set(library):
    board, hbm = probed(library, None, LIMIT_W=500, HBM_W=60)
    assert (board["limit_w"], hbm["limit_w"]) == (500, 500)


def test_a_module_has_a_limit_of_its_own(library):
    name = "NVIDIA GH200 480GB"
    domains = probed(library, None, LIMIT_W=700, MODULE_W=600, MODULE_LIMIT_W=1000, NAME=name)
    assert {domain["kind"]: domain["limit_w"] for domain in domains} == {"gpu": 700, "module": 1000}


@pytest.mark.parametrize(
    ("product", "watts"),
    [
        ("NVIDIA H100 80GB HBM3", 700),
        ("Tesla V100-SXM2-16GB", 300),
        ("AMD Instinct MI300X", 750),
        ("NVIDIA GeForce RTX 4090", 450),
        ("NVIDIA GeForce RTX 3070", 0),
        ("NVIDIA H1000", 0),
        ("", 0),
    ],
)
def test_without_a_driver_the_name_plate_of_the_family_is_the_limit(product, watts):
    assert name_plate_w(product) == watts


def zone(folder, **constraints):
    powercap(folder, {"intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ)})
    write_tree(folder / "intel-rapl:0", constraints)
    (domain,) = Rapl(folder, "GenuineIntel").probe()
    return domain.limit_w


def test_a_package_draws_at_most_its_greatest_constraint(tmp_path):
    constraints = {
        "constraint_0_max_power_uw": 125_000_000,
        "constraint_0_power_limit_uw": 125_000_000,
        "constraint_1_max_power_uw": 0,
        "constraint_1_power_limit_uw": 253_000_000,
    }
    assert zone(tmp_path, **constraints) == 253


def test_the_limits_in_force_are_among_the_settings_of_a_run(tmp_path):
    constraints = {
        "constraint_0_name": "long_term",
        "constraint_0_power_limit_uw": 125_000_000,
        "constraint_1_name": "short_term",
        "constraint_1_power_limit_uw": 4_095_875_000,
    }
    powercap(tmp_path, {"intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ)})
    write_tree(tmp_path / "intel-rapl:0", constraints)
    meter = Rapl(tmp_path, "GenuineIntel")
    meter.probe()
    assert meter.states() == {"cpu-package-0": {"power_limits_w": {"long_term": 125}}}


def test_a_limit_that_a_register_cannot_mean_is_passed_over(tmp_path):
    constraints = {
        "constraint_0_max_power_uw": 65_000_000,
        "constraint_0_power_limit_uw": 4_095_875_000,
        "constraint_1_power_limit_uw": "",
    }
    assert zone(tmp_path, **constraints) == 65


def test_cores_draw_at_most_what_their_package_does(tmp_path):
    powercap(
        tmp_path,
        {
            "intel-rapl:0": ("package-0", 5_000_000, RANGE_UJ),
            "intel-rapl:0:0": ("core", 3_000_000, RANGE_UJ),
            "intel-rapl:0:1": ("dram", 1_000_000, RANGE_UJ),
        },
    )
    write_tree(tmp_path / "intel-rapl:0", {"constraint_0_power_limit_uw": 125_000_000})
    write_tree(tmp_path / "intel-rapl:0:1", {"constraint_0_max_power_uw": 41_250_000})
    limits = {domain.id: domain.limit_w for domain in Rapl(tmp_path, "GenuineIntel").probe()}
    assert limits == {"cpu-package-0": 125, "core-package-0": 125, "dram-package-0": 41.25}


def test_the_models_draw_their_limit_when_everything_is_busy(tmp_path):
    lines = ["cpu 0 0 0 0 0 0 0", *(f"cpu{core} 0 0 0 0 0 0 0" for core in range(8))]
    write_tree(tmp_path, {"proc/stat": "\n".join(lines), "proc/meminfo": "MemTotal: 1048576 kB"})
    cpu, memory = CpuModel(tmp_path / "proc", tmp_path / "none").probe()
    assert (cpu.limit_w, memory.limit_w) == (8 * 6, 0.35)
