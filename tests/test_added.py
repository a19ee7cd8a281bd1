"""The pages about adding a chip, a model, a meter and a format, followed to the letter."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.test_followed import LLAMA

PAGES = sorted((ROOT / "docs" / "add").glob("*.md"))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
WRITE = re.compile(r"Write `([\w/.-]+)`:$")
ADD = re.compile(r"Add to `([\w/.-]+)`(?:, after `(.+)`)?:$")


@pytest.fixture
def checkout(tmp_path):
    """A copy of the sources that a page changes, and a model that somebody downloaded."""
    for name in ("energy", "simulator", "tests"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    model = tmp_path / "downloads" / "my-model"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(LLAMA))
    return tmp_path


def follow(page: Path, checkout: Path):
    """Do what a page says, in its order; every command's output."""
    text, at, printed = page.read_text(), 0, []
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(checkout), "PATH": path}
    for block in BLOCK.finditer(text):
        before, at = text[at : block.start()].rstrip(), block.end()
        if write := WRITE.search(before):
            (checkout / write[1]).write_text(block[2])
        elif add := ADD.search(before):
            _add(checkout / add[1], add[2], block[2])
        elif not block[1]:
            done = subprocess.run(
                ["bash", "-e", "-c", block[2]],
                cwd=checkout,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{block[2]}\n{done.stdout}\n{done.stderr}"
            printed.append(done.stdout)
    return printed


def _add(file: Path, after: str | None, lines: str):
    text = file.read_text()
    if after is None:
        file.write_text(text + lines)
    else:
        assert text.count(f"{after}\n") == 1, f"{file}: {after}"
        file.write_text(text.replace(f"{after}\n", f"{after}\n{lines}"))


SAYS = {"chip": "example-x1", "model": "example-2b", "meter": "measured", "format": "assumed"}
"""What the last commands of each page print."""


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_who_follows_the_page_has_added_it(page, checkout):
    printed = follow(page, checkout)
    assert SAYS[page.stem] in "".join(printed[-2:])
