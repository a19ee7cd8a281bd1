"""Watts by what a chip does, from kernels that were metered one by one."""

import pytest

from energy.facts import catalog
from energy.facts.kernel_watts import kernel_watts
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.power import activity_weights, watts_of

BLACKWELL = ("b200-sxm-180gb", "gb200-nvl72", "b300-sxm-288gb", "gb300-nvl72")


def chip(name):
    return Hardware.from_chip(catalog.chip(name), "bf16", Constants())


@pytest.mark.parametrize("name", BLACKWELL)
def test_memory_at_its_rate_draws_what_arithmetic_does_where_kernels_say_so(name):
    hardware, constants = chip(name), Constants()
    products = watts_of(1.0, 0.0, 0.0, hardware, constants)
    assert watts_of(0.0, 1.0, 0.0, hardware, constants) == pytest.approx(products)
    waiting = watts_of(0.0, 0.0, 0.0, hardware, constants)
    assert hardware.idle_w < waiting < 0.6 * products < hardware.limit_w


def test_only_the_chip_that_was_metered_has_the_band_of_its_kernels():
    assert {name: "assumed" in kernel_watts(name).source for name in BLACKWELL} == {
        name: name != "b200-sxm-180gb" for name in BLACKWELL
    }
    assert chip("b200").power_relative == (-0.195, 0.114)
    assert "metered kernels" in chip("b200").power_source


def test_a_chip_whose_kernels_nobody_metered_keeps_the_constants():
    constants = Constants(memory_power_share=0.55, wait_share=0.2)
    assert kernel_watts("h100-sxm5-80gb") is None
    weights = activity_weights(chip("h100"), constants)
    assert (weights["memory"], weights["wait"]) == (0.55, 0.2)
