"""What `make demo` and `make install` print while they install, and on a machine that is busy."""

import os
import shutil
import subprocess
import sys

from scripts.install.__main__ import doing, install, loaded, megabytes

LOG = """Collecting numpy (from glam-energy==0.2.0)
  Downloading numpy-2.4.6-cp311.whl.metadata (6.6 kB)
  Downloading numpy-2.4.6-cp311.whl (16.9 MB)
  Using cached torch-2.13.0-cp311.whl (0.9 GB)
"""


def test_the_progress_adds_up_what_was_fetched_and_names_the_last():
    total, last = megabytes(LOG)
    assert round(total, 1) == 916.9
    assert last == "torch-2.13.0-cp311.whl (0.9 GB)"
    assert megabytes("") == (0.0, "")
    assert doing("") == "looking for packages"
    assert doing(LOG) == "fetched torch-2.13.0-cp311.whl (0.9 GB)"
    unpacking = LOG + "Installing collected packages: numpy, torch, glam-energy\n"
    assert doing(unpacking) == "unpacking 3 packages"


def test_a_loaded_machine_is_said_to_be_slow_by_its_load_and_a_quiet_one_is_not():
    assert loaded(0.2, 2) == ""
    assert loaded(15.0, 64) == ""
    note = loaded(6.0, 2)
    assert "load average 6.0 on 2 cores" in note
    assert "about 4.0 times as long" in note
    assert "up to 24 minutes" in note


def test_an_install_that_fails_shows_what_pip_said_and_keeps_its_exit_code(tmp_path, capfd):
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho ERROR: no such release; exit 3\n")
    python.chmod(0o755)
    assert install(python, "train") == 3
    assert "ERROR: no such release" in capfd.readouterr().err


def test_make_demo_says_so_before_it_installs_anything():
    make = shutil.which("make")
    assert make
    plan = subprocess.run(
        [make, "-n", "demo", "VENV=absent", f"PYTHON={sys.executable}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MAKEFLAGS": ""},
    ).stdout
    assert plan.index("--loaded") < plan.index("-m venv absent") < plan.index("train,plots,carbon")
    assert plan.index("train,plots,carbon") < plan.index("scripts/demo")
