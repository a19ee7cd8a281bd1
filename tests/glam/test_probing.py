"""The probe of a machine."""

import logging
import time

import pytest
import torch

from glam.probing import probe as probing


@pytest.mark.process
@pytest.mark.parametrize(("share", "warned"), [(0.4, True), (1.0, False)])
def test_a_probe_that_has_not_had_its_cores_says_that_its_watts_are_too_low(
    monkeypatch, caplog, share, warned
):
    cores = torch.get_num_threads()
    monkeypatch.setattr(
        probing.time, "process_time", lambda: share * cores * time.monotonic(), raising=True
    )
    with caplog.at_level(logging.WARNING, logger="glam"):
        power = probing.measure_power(torch.device("cpu"), torch.float32, ["cpu_tree"])
    assert set(power) == {"idle_w", "busy_w"}
    assert ("had 40 % of its cores" in caplog.text) is warned
