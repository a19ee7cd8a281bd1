"""What the doctor says beyond the readings themselves."""

import json
import subprocess
import sys
import threading
import time

import pytest

from energy.meters import sources
from energy.meters.rapl import Rapl
from energy.verbs import doctor
from tests.support.standin import nvml_environment, powercap

RANGE_UJ = 262_143_328_850


@pytest.mark.parametrize(("psys_w", "doubted"), [(0, True), (5, True), (60, False)])
def test_a_platform_meter_that_shows_less_than_its_package_is_doubted(
    tmp_path, monkeypatch, psys_w, doubted
):
    powercap(
        tmp_path,
        {"intel-rapl:0": ("psys", 9, RANGE_UJ), "intel-rapl:1": ("package-0", 5, RANGE_UJ)},
    )
    monkeypatch.setattr(sources, "SOURCES", {"rapl": lambda: Rapl(tmp_path, "GenuineIntel")})
    done = threading.Event()

    def spend():
        start_s = time.monotonic()
        while not done.wait(0.01):
            for zone, watts in (("intel-rapl:0", psys_w), ("intel-rapl:1", 50)):
                joules = watts * (time.monotonic() - start_s)
                (tmp_path / zone / "new").write_text(str(9 + round(joules * 1e6)))
                (tmp_path / zone / "new").rename(tmp_path / zone / "energy_uj")

    thread = threading.Thread(target=spend)
    thread.start()
    try:
        psys, package = doctor.examine(0.5)
    finally:
        done.set()
        thread.join()
    assert ("the inner readings count" in psys["why"]) == doubted
    assert "the inner readings count" not in package["why"]


def test_boards_that_are_hidden_from_the_run_are_said_to_be_hidden(library):
    environment = nvml_environment(library, DEVICES=4) | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "energy", "doctor", "--meter", "nvml", "--json"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    (row,) = json.loads(run.stdout)["meters"]
    assert row["origin"] == "missing"
    assert "CUDA_VISIBLE_DEVICES='' shows no board" in row["why"]
