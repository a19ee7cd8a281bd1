"""Settings of the machine that change its watts at equal work stand in the record."""

from energy.ledger.environment import machine
from tests.support.standin import write_tree


def test_settings_of_the_processor_are_recorded_where_the_kernel_shows_them(tmp_path):
    write_tree(
        tmp_path,
        {
            "devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave",
            "firmware/acpi/platform_profile": "balanced",
        },
    )
    facts = machine(tmp_path)
    assert (facts["cpu_governor"], facts["platform_profile"]) == ("powersave", "balanced")
    assert "cpu_most_khz" not in facts
    assert "cpu_governor" not in machine(tmp_path / "none")
