"""A replayed waveform: exact, refused where it cannot be, and missing where it is not known."""

import time

import pytest

from energy.errors import InputError
from energy.meters.replay import Replay
from energy.meters.sources import open_sources, require
from energy.tracking.tracker import Tracker

LOG = """timestamp, index, name, power.draw [W], utilization.gpu [%]
2024/11/20 10:15:01.123, 0, NVIDIA A100-SXM4-40GB, 58.00 W, 0 %
2024/11/20 10:15:01.125, 1, NVIDIA A100-SXM4-40GB, [N/A], 0 %
2024/11/20 10:15:02.123, 0, NVIDIA A100-SXM4-40GB, 258.00 W, 100 %
2024/11/20 10:15:02.125, 1, NVIDIA A100-SXM4-40GB, [N/A], 0 %
"""


def written(tmp_path, text):
    path = tmp_path / "wave.csv"
    path.write_text(text)
    return path


def test_a_replayed_waveform_is_integrated_exactly_and_never_measured(tmp_path):
    path = written(tmp_path, "t_s,device,watts\n0,gpu,100\n2,gpu,50\n")
    moments = iter([10.0, 10.0, 13.0])
    meter = Replay(path, now=lambda: next(moments))
    (domain,) = meter.probe()
    assert domain.origin == "modelled"
    assert meter.read()["gpu"] == 0
    assert meter.read()["gpu"] == 250


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("t_s,device,watts\n5,gpu,100\n1,gpu,200\n", "times that ascend in line 3"),
        ("t_s,device,watts\n0,gpu,-50\n", "watts of 0 or more in line 2"),
        ("t_s,device,watts\n\n0,gpu,nan\n", "watts of 0 or more in line 3"),
        ("t_s,device,watts\ninf,gpu,1\n", "watts of 0 or more in line 2"),
        ("t_s,device,watts\n0,gpu,much\n", "a number of watts in line 2"),
        ("t_s,device,watts\n0,gpu\n", "a number of watts in line 2"),
        ("time,watts\n0,1\n", "the columns time, watts"),
        ("t_s,device,watts\n", "no line with watts"),
        ("", "no line with watts"),
        (LOG.replace("2024/11/20 10:15:02.123", "20.11.2024"), "a moment .* in line 4"),
    ],
)
def test_a_waveform_that_cannot_be_is_refused_before_the_run_with_its_line(tmp_path, text, said):
    path = written(tmp_path, text)
    with pytest.raises(InputError, match=said):
        require([f"replay:{path}"])
    with pytest.raises(InputError, match=said):
        Tracker(tmp_path / "run", meters=f"replay:{path}")


def test_a_waveform_that_is_not_there_is_refused_before_the_run(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        require([f"replay:{tmp_path}/nowhere.csv"])


def test_a_log_of_nvidia_smi_is_two_boards_of_which_one_is_not_known(tmp_path):
    path = written(tmp_path, LOG)
    (meter,), domains = open_sources([f"replay:{path}"])
    assert [domain.id for domain in domains] == ["gpu-0", "gpu-1"]
    time.sleep(0.01)
    assert meter.watts() == {"gpu-1": None}
    assert meter.read().keys() == {"gpu-0"}


@pytest.mark.parametrize(
    "header",
    ["timestamp, uuid, power.draw [W]", "timestamp, uuid, index, power.draw.instant [W]"],
)
def test_boards_of_a_log_are_named_by_uuid_where_it_has_one(tmp_path, header):
    cells = ["2024/11/20 10:15:01.123", "GPU-a", *(["0"] if "index" in header else []), "58.0"]
    meter = Replay(written(tmp_path, f"{header}\n{', '.join(cells)}\n"))
    assert [domain.id for domain in meter.probe()] == ["GPU-a"]


def test_a_power_that_is_not_known_is_no_reading_and_not_0_w(tmp_path):
    lines = [("15:01.000", "100.00 W"), ("15:02.000", "[N/A]"), ("15:04.000", "50.00 W")]
    log = "timestamp, index, power.draw [W]\n" + "".join(
        f"2024/11/20 10:{moment}, 0, {watts}\n" for moment, watts in lines
    )
    moments = iter([10.0, 10.5, 11.5, 13.0])
    meter = Replay(written(tmp_path, log), now=lambda: next(moments))
    (domain,) = meter.probe()
    assert (domain.method, domain.origin, domain.limit_w) == ("power", "modelled", 100.0)
    assert meter.poll_s() > 0
    assert [meter.watts()["gpu-0"] for _ in range(3)] == [100.0, None, 50.0]
