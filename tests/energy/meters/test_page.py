"""docs/meters.md names every meter, and only meters and options that exist."""

import re
import subprocess
import sys

import pytest

from energy.meters.sources import ON_REQUEST, SOURCES, require
from tests.support import ROOT

PAGE = (ROOT / "docs" / "meters.md").read_text()


@pytest.mark.parametrize("name", [*SOURCES, *ON_REQUEST])
def test_every_meter_is_on_the_page(name):
    assert f"`{name}`" in PAGE


def test_every_meter_in_the_examples_of_the_page_exists():
    chosen = re.findall(r"--meter (\w+:?)", PAGE) + re.findall(r'meters=\["(\w+)", "(\w+)"\]', PAGE)
    for names in chosen:
        if isinstance(names, str) and names.endswith(":"):
            assert names in [name.partition(":")[0] + ":" for name in ON_REQUEST]
        else:
            require([names] if isinstance(names, str) else list(names))
    assert len(chosen) == 9


def test_every_option_of_the_commands_on_the_page_exists():
    for verb, rest in re.findall(r"^\$ energy (\w+)(.*)", PAGE, re.MULTILINE):
        run = subprocess.run(
            [sys.executable, "-m", "energy", verb, "--help"], capture_output=True, text=True
        )
        assert run.returncode == 0, verb
        for option in re.findall(r" (--\w[\w-]*)", rest.split(" -- ")[0]):
            assert option in run.stdout, (verb, option)
