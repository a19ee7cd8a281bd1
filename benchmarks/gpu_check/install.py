"""Install what a Python lacks from wheels, into a virtual environment of its own.

    python -m benchmarks.gpu_check.install --wheels DIR --into DIR

The new environment also has every package of the Python that runs this, so that only what is
missing or too old there has to travel. Needs no network, and imports only the standard library.
"""

from __future__ import annotations

import argparse
import site
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process import ROOT
from energy.errors import InputError
from energy.guard import guard


def main() -> None:
    """Install from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--wheels", type=Path, required=True, help="folder of wheels")
    parser.add_argument("--into", type=Path, required=True, help="folder of the environment")
    options = parser.parse_args()
    guard(lambda: install(requirements(), options.wheels, options.into))


def requirements() -> list[str]:
    """What the project needs to train."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"]["train"]]


def install(names: Sequence[str], wheels: Path, into: Path) -> Path:
    """Make an environment with these packages; return its interpreter.

    Args:
        names: requirements, as "numpy>=1.26".
        wheels: folder of wheels.
        into: folder of the environment; one that is there is replaced.

    Raises:
        InputError: there is no folder of wheels, no pip, a package is neither here nor a wheel, or
            `into` is another folder.
    """
    if not wheels.is_dir():
        raise InputError(
            "expected a folder of wheels", str(wheels), "fill one with pip download --dest"
        )
    if into.exists() and not (into / "pyvenv.cfg").exists():
        raise InputError(f"expected a new folder or a virtual environment at {into}", "neither")
    venv.create(into, clear=True)
    python = into / "bin" / "python"
    (packages,) = into.glob("lib/python*/site-packages")
    (packages / "of-the-other-python.pth").write_text("\n".join(_site_folders()) + "\n")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += ["--disable-pip-version-check", "--no-index", "--find-links", str(wheels)]
    finished = subprocess.run(
        [*command, *names], stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT
    )
    if finished.returncode:
        lines = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        why = (lines or finished.stderr.splitlines() or ["nothing"])[-1]
        raise InputError(
            f"expected every package here or as a wheel in {wheels}",
            why.removeprefix("ERROR: "),
            "add it: pip download --dest WHEELS '.[train]'",
        )
    return python


def _site_folders() -> list[str]:
    """The folders from which this Python imports installed packages."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return list(dict.fromkeys(folders))


if __name__ == "__main__":
    main()
