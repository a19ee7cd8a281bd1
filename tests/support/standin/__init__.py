"""Stand-ins for hardware and for runs: real files and a real library, whose energy is known."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from energy.errors import MissingDataError
from energy.ledger.lines import Row, seal


def compiled_nvml(folder: Path) -> Path:
    """Compile the stand-in for libnvidia-ml.so.1.

    Raises:
        MissingDataError: there is no C compiler.
    """
    return _compiled(folder, "nvml.c", "libnvidia-ml.so.1")


def compiled_cuda(folder: Path) -> Path:
    """Compile the stand-in for libcuda.so.1, as `compiled_nvml` does its own."""
    return _compiled(folder, "cuda.c", "libcuda.so.1")


def _compiled(folder: Path, source: str, name: str) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        fix = "install gcc (scripts/system-packages)"
        raise MissingDataError("expected a C compiler", "no program cc", fix)
    library = folder / name
    path = Path(__file__).with_name(source)
    options = ["-shared", "-fPIC", "-O1", f"-Wl,-soname,{name}"]
    subprocess.run([compiler, *options, "-o", library, path, "-lm"], check=True)
    return library


def nvml_environment(library: Path, **settings: object) -> dict[str, str]:
    """The environment of a process that loads the stand-in; settings are listed in nvml.c."""
    return {
        **os.environ,
        "LD_LIBRARY_PATH": str(library.parent),
        **{f"STANDIN_{name}": str(value) for name, value in settings.items()},
    }


def write_tree(root: Path, texts: Mapping[str, object]) -> None:
    """Write a tree of small files, as the kernel shows them: path below root -> content."""
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def powercap(root: Path, zones: Mapping[str, tuple[str, int, int]]) -> None:
    """Write a powercap tree: folder name -> (zone name, microjoules, range)."""
    for folder, (name, energy_uj, range_uj) in zones.items():
        write_tree(
            root / folder,
            {"name": name, "energy_uj": energy_uj, "max_energy_range_uj": range_uj},
        )


def write_ledger(path: Path, rows: Iterable[Row]) -> None:
    """Write a ledger with these rows, each sealed to the one before it."""
    lines, previous = [], ""
    for row in rows:
        line, previous = seal(row, previous)
        lines.append(line)
    path.write_bytes(b"".join(lines))
