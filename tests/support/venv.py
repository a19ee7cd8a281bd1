"""A virtual environment with some of the packages that are installed here, and no others.

It is made of links in a fraction of a second, so a test can show what an install of named extras
can do without a download. What the project declares comes from pyproject.toml.
"""

from __future__ import annotations

import sys
import tomllib
import venv
from collections import Counter
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PROJECT = "glam-energy"


def declared(extra: str = "") -> list[Requirement]:
    """What pyproject.toml requires, with one of its extras or without."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [Requirement(line) for line in lines]


def needed(requirements: list[str]) -> dict[str, Distribution]:
    """The installed packages that `pip install` of these would bring, by name.

    Raises:
        PackageNotFoundError: one of them is not installed here.
    """
    brought: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    left = [(Requirement(line), "") for line in requirements]
    while left:
        requirement, extra = left.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) in seen:
                continue
            seen.add((name, wanted))
            if name == PROJECT:
                left += [(further, "") for further in declared(wanted)]
                continue
            brought[name] = distribution(name)
            if requirement.specifier and not requirement.specifier.contains(
                brought[name].version, prereleases=True
            ):
                raise PackageNotFoundError(f"{requirement}: {brought[name].version}")
            left += [(Requirement(line), wanted) for line in brought[name].requires or []]
    return brought


def _tops(package: Distribution) -> set[str]:
    """The names in site-packages that a package fills."""
    files = package.files or []
    return {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}


@cache
def _owners() -> Counter[str]:
    """How many installed packages share each name in site-packages."""
    return Counter(top for package in distributions() for top in _tops(package))


def _link(package: Distribution, site: Path) -> None:
    for top in _tops(package):
        if _owners()[top] == 1:
            (site / top).symlink_to(Path(str(package.locate_file(top))))
            continue
        for file in package.files or []:
            if file.parts[0] == top and "__pycache__" not in file.parts:
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).symlink_to(Path(str(package.locate_file(file))))


def environment_of(requirements: list[str], folder: Path) -> Path:
    """Make an environment that has what `pip install` of these would bring; return its `bin`.

    The project is that of this checkout.

    Raises:
        PackageNotFoundError: one of them is not installed here.
    """
    packages = needed(requirements)
    venv.create(folder, symlinks=True)
    site = folder / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    commands = {name: f"{name}.__main__:main" for name in ("energy", "glam", "simulator")}
    for package in packages.values():
        _link(package, site)
        scripts = package.entry_points.select(group="console_scripts")
        commands |= {script.name: script.value for script in scripts}
    (site / "checkout.pth").write_text(f"{ROOT}\n")
    for name, value in commands.items():
        module, _, function = value.partition(":")
        script = folder / "bin" / name
        script.write_text(
            f"#!{folder}/bin/python\nimport sys\nfrom {module} import {function} as main\n"
            "sys.exit(main())\n"
        )
        script.chmod(0o755)
    return folder / "bin"
