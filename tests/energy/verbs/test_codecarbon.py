"""`energy run --second-opinion`: CodeCarbon beside ours, out of reach of its settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.energy.verbs.test_run import energy


def test_the_second_opinion_names_the_backend_of_each_part_and_the_difference(tmp_path):
    run = energy("run", "--out", tmp_path / "r", "--second-opinion", "--", "sleep", "2")
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    codecarbon = record["metrics"]["codecarbon_energy_j"]
    assert codecarbon["value"] > 0
    assert codecarbon["shares"]["assumed"] > 0  # its memory is a constant
    assert "times ours; most of the difference is " in run.stderr
    assert "ram: " in run.stderr
    assert "J assumed (watts per module) against " in run.stderr
    assert "J modelled (cpu_load) against " in run.stderr
    assert "/proc/stat" in run.stderr  # the source of our number


CODECARBON_CONFIG = """[codecarbon]
output_methods = file
save_to_file = true
output_dir = {folder}
project_name = of-the-user
force_ram_power = 90000
"""


def test_no_setting_of_the_user_reaches_the_second_opinion(tmp_path):
    home, here, written = (tmp_path / name for name in ("home", "here", "written"))
    for folder in (home, here, written):
        folder.mkdir()
    for folder in (home, here):
        config = CODECARBON_CONFIG.format(folder=written)
        (folder / ".codecarbon.config").write_text(config)
    settings = {
        "HOME": str(home),
        "CODECARBON_FORCE_RAM_POWER": "90000",
        "CODECARBON_OUTPUT_DIR": str(written),
        "CODECARBON_SAVE_TO_FILE": "true",
    }
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), **settings}
    reads = "from codecarbon.core.config import get_hierarchical_config as read; print(read())"
    config = subprocess.run(
        [sys.executable, "-c", reads], cwd=here, env=environment, capture_output=True, text=True
    )
    assert "of-the-user" in config.stdout  # so it would be obeyed
    run = energy(
        "run",
        "--out",
        tmp_path / "r",
        "--second-opinion",
        "--",
        "sleep",
        "2",
        cwd=here,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    record = json.loads((tmp_path / "r" / "record.json").read_text())
    assert 0 < record["metrics"]["codecarbon_energy_j"]["value"] < 90_000
    assert list(written.iterdir()) == []
    assert not any("still running" in note for note in record["notes"])
