"""Settings of the machine that change its watts at equal work stand in the record."""

import platform

from energy.ledger.environment import machine
from tests.support.ledgers import domain, end, header, record_of, sample
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


def test_a_ledger_that_does_not_describe_its_machine_is_not_given_the_one_that_reads_it(tmp_path):
    rows = [sample(0, 0.0), sample(1, 300.0), end(1)]
    other = record_of(tmp_path / "other", [header([domain()], host="elsewhere"), *rows])
    assert other.environment["host"] == "elsewhere"
    assert not other.environment.keys() & {"cpu", "cores", "system", "command"}
    here = record_of(tmp_path / "here", [header([domain()], host=platform.node()), *rows])
    assert here.environment["cores"]
