"""Stand-ins for hardware: real files and a real library, driven by closed forms."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def compiled_nvml(folder: Path) -> Path:
    """Compile the stand-in for libnvidia-ml.so.1; skipped, loudly, where there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a C compiler: scripts/system-packages installs it")
        pytest.skip("no C compiler: install gcc (scripts/system-packages)")
    library = folder / "libnvidia-ml.so.1"
    source = Path(__file__).with_name("nvml.c")
    subprocess.run(
        [
            compiler,
            "-shared",
            "-fPIC",
            "-O1",
            "-Wl,-soname,libnvidia-ml.so.1",
            "-o",
            library,
            source,
            "-lm",
        ],
        check=True,
    )
    return library


def powercap(root: Path, zones: dict[str, tuple[str, int, int]]) -> None:
    """A powercap tree: folder name -> (zone name, microjoules, range)."""
    for folder, (name, energy_uj, range_uj) in zones.items():
        place = root / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / "name").write_text(f"{name}\n")
        (place / "energy_uj").write_text(f"{energy_uj}\n")
        (place / "max_energy_range_uj").write_text(f"{range_uj}\n")
