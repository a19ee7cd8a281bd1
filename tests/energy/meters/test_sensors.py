"""The sensor file and the table of published sensors set ticks, lags and bands of boards."""

import json
import subprocess
import sys

import pytest

from energy.meters import sensors, sources
from energy.meters.base import BaseSource, Domain
from energy.meters.sensors import by_default, of_board
from tests.support.standin import nvml_environment

MEASURED = {
    "reading": "instant",
    "update_s": 0.1,
    "delay_s": 0.04,
    "window_s": 0.025,
    "hold_s": 0.2,
    "tick_s": 0.02,
    "counter_delay_s": 0.03,
    "counter_over_power": 1.01,
    "host": "node-7",
    "date": "2026-12-01",
    "source": "benchmarks.gpu_check",
}
COUNTER = Domain(id="GPU-0", kind="gpu", boundary="chip", low=0.93, high=1.07, source="default")
POWER = Domain(id="GPU-0", kind="gpu", boundary="chip", method="power", tick_s=0.1)


def write(board, **changes):
    sensors.path().parent.mkdir(parents=True, exist_ok=True)
    sensors.path().write_text(json.dumps({board: MEASURED | changes}))


def test_the_counter_of_a_measured_board_has_the_tick_and_the_delay_that_were_measured():
    write("NVIDIA H200")
    domain = of_board(COUNTER, "nvml", "NVIDIA H200", "counter")
    assert (domain.tick_s, domain.lag_s) == (0.02, 0.03)
    assert (domain.low, domain.high) == (0.93, 1.07)
    assert domain.source == "default; sensor measured on node-7, 2026-12-01"


def test_the_power_of_a_measured_board_lags_by_its_delay_and_its_window():
    write("NVIDIA H200")
    domain = of_board(POWER, "nvml", "NVIDIA H200", "instant")
    assert (domain.tick_s, domain.lag_s) == (0.1, pytest.approx(0.065))


def test_the_file_says_nothing_of_another_board_or_of_another_power_call():
    write("NVIDIA H200")
    for board, reading in (("NVIDIA H100", "instant"), ("NVIDIA H200", "power")):
        assert of_board(POWER, "nvml", board, reading) == by_default(POWER, "nvml", board, reading)


def test_a_counter_that_disagrees_with_power_has_a_band_that_holds_both():
    # 187 J by the counter and 327 J by power in 5 s (ml-energy/zeus issue 181).
    write("NVIDIA H200", counter_over_power=187 / 327)
    domain = of_board(COUNTER, "nvml", "NVIDIA H200", "counter")
    assert 187 * domain.low <= 187 <= 327 <= 187 * domain.high
    assert "is 0.57 times integrated power (node-7, 2026-12-01)" in domain.note
    write("NVIDIA H200", counter_over_power=327 / 187)
    domain = of_board(COUNTER, "nvml", "NVIDIA H200", "counter")
    assert 327 * domain.low <= 187
    assert domain.high == COUNTER.high


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "expecting property name"),
        ("[]", "expected a table in"),
        ('{"NVIDIA H200": 3}', "expected an object for each board; got 3"),
        (json.dumps({"NVIDIA H200": MEASURED | {"window_s": "1"}}), "expected window_s as 0 to 60"),
        (json.dumps({"NVIDIA H200": MEASURED | {"delay_s": -1}}), "expected delay_s as 0 to 60"),
        (json.dumps({"NVIDIA H200": MEASURED | {"tick_s": None}}), "expected tick_s as 0 to 60"),
        (json.dumps({"NVIDIA H200": MEASURED | {"hold_s": True}}), "expected hold_s as 0 to 60"),
        ('{"NVIDIA H200": {"reading": "instant", "update_s": NaN}}', "got nan"),
    ],
)
def test_a_broken_file_is_left_out_and_the_domain_says_why(text, why):
    sensors.path().parent.mkdir(parents=True)
    sensors.path().write_text(text)
    domain = of_board(POWER, "nvml", "NVIDIA H200", "instant")
    assert domain.lag_s == by_default(POWER, "nvml", "NVIDIA H200", "instant").lag_s
    assert domain.note.startswith(f"{sensors.path()} left out: ")
    assert why in domain.note


def test_without_a_file_nothing_is_said_of_it():
    assert of_board(COUNTER, "nvml", "NVIDIA H200", "counter") == COUNTER


@pytest.mark.parametrize(
    ("meter", "board", "reading", "lag_s"),
    [
        ("nvml", "NVIDIA H100 80GB HBM3", "instant", 0.125),
        ("nvml", "NVIDIA A100-SXM4-80GB", "power", 0.125),
        ("nvml", "Tesla V100-SXM2-32GB", "power", 0.031),
        ("nvml", "NVIDIA H100 80GB HBM3", "power", 1.1),
        ("nvml", "NVIDIA GeForce RTX 3090", "instant", 0.21),
        ("hwmon", "", "power", 1.1),
        ("node", "", "power", 1.1),
    ],
)
def test_a_sensor_that_was_not_measured_has_the_lag_that_was_published(
    meter, board, reading, lag_s
):
    assert by_default(POWER, meter, board, reading).lag_s == pytest.approx(lag_s)


class WattsOnly(BaseSource):
    name = "watts"

    def probe(self):
        return [POWER, COUNTER]


def test_every_source_that_is_read_by_power_says_by_how_much_it_lags(monkeypatch):
    monkeypatch.setitem(sources.SOURCES, "watts", WattsOnly)
    _, (power, counter) = sources.open_sources(["watts"])
    assert (power.lag_s, counter.lag_s) == (pytest.approx(1.1), 0.0)


PRINT_LAGS = """
from energy.meters.nvml import Nvml
for domain in Nvml().probe():
    print(domain.tick_s, domain.lag_s)
"""


@pytest.mark.parametrize(
    ("settings", "tick_s", "lag_s"),
    [({}, 0.02, 0.03), ({"NO_COUNTER": 1}, 0.1, 0.065), ({"NAME": "Another"}, 0.1, 0.0)],
)
def test_a_board_reads_the_file_by_its_product_name(library, settings, tick_s, lag_s):
    write("Stand-in")
    run = subprocess.run(
        [sys.executable, "-c", PRINT_LAGS],
        env=nvml_environment(library, **settings),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [float(word) for word in run.stdout.split()] == pytest.approx([tick_s, lag_s])
