"""Grams of CO2e of a run: by location, by market, and of making the machine.

Three numbers, kept apart: the average of the grid (location, gross), what is left after clean
contracts (market, net), and the embodied share of the hardware. They are never added or netted
here; offsets and reused heat change none of them. Average intensities only: marginal ones answer
another question (what a change of schedule would cause).
"""

from __future__ import annotations

from energy.arithmetic import multiply
from energy.quantity import Quantity
from energy.units import G_PER_KG, J_PER_KWH


def operational_g(facility_j: Quantity, intensity_g_per_kwh: Quantity) -> Quantity:
    """Grams of CO2e of facility joules: E * CI.

    Works for both kinds of intensity: location or market.
    GPT-3 (arXiv:2104.10350): 1,287 MWh * 429 g/kWh = 552 t.
    """
    product = multiply(facility_j, intensity_g_per_kwh, "g")
    return product.scaled(1 / J_PER_KWH)


def embodied_g(device_kg: float, device_s: Quantity, lifetime_s: Quantity) -> Quantity:
    """Grams of CO2e of making the devices, the share of the run (ISO/IEC 21031, SCI): M.

    M = TE * (time reserved / lifetime), time counted over all devices.
    164 kg an H100, 1,000 h of 35,064 h (4 years): 4.68 kg.

    Args:
        device_kg: kilograms of CO2e of making one device.
        device_s: seconds, summed over the devices.
        lifetime_s: seconds that a device serves.
    """
    share = multiply(device_s, lifetime_s, "1", divide=True)
    return share.scaled(device_kg * G_PER_KG, "g")
