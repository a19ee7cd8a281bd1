"""What several test files need."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# No test is about time; and in CI the same examples are drawn every time.
settings.register_profile("anywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


TESTS = Path(__file__).parent

# Marks of whole folders and files. A test that calls `browser` is marked by that.
MARKED = {
    "torch": (
        "contracts",
        "fuzz",
        "glam",
        "experiments",
        "energy/callbacks",
        "energy/configurations",
        "oracles/test_recomputation_against_torch.py",
        "simulator/questions/test_launch.py",
    ),
    "process": (
        "benchmarks",
        "contracts",
        "energy/calibration",
        "energy/callbacks",
        "energy/ledger/test_agreement.py",
        "energy/ledger/test_devices.py",
        "energy/ledger/test_job.py",
        "energy/ledger/test_phases.py",
        "energy/meters",
        "energy/sampler",
        "energy/test_words_without_meter.py",
        "energy/tracking",
        "energy/verbs",
        "experiments",
        "glam/checkpoints/test_writer.py",
        "glam/training/test_restart.py",
    ),
    "slow": (
        "contracts",
        "fuzz",
        "energy/ledger/test_growth.py",
        "glam/checkpoints",
        "glam/data/test_corpus.py",
        "glam/data/test_shards.py",
        "glam/model/test_gpt.py",
        "glam/moe/test_dispatch.py",
        "glam/test_bad_input.py",
        "glam/test_presets.py",
        "glam/training",
        "simulator/questions/test_crossover.py",
        "simulator/questions/test_feasible.py",
        "simulator/questions/test_feasible_verb.py",
        "simulator/questions/test_inverse.py",
        "simulator/questions/test_launch.py",
        "simulator/questions/test_plan.py",
        "simulator/questions/test_plan_verb.py",
        "simulator/questions/test_terms.py",
        "simulator/questions/test_when.py",
        "simulator/test_answers.py",
        "simulator/test_examples.py",
    ),
}


def _is_marked(path: Path, mark: str) -> bool:
    return any(path.is_relative_to(TESTS / place) for place in MARKED[mark])


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests of marked folders and files, and those that open a browser."""
    for item in items:
        for mark in MARKED:
            if _is_marked(item.path, mark):
                item.add_marker(mark)
        if "browser" in item.function.__code__.co_names:
            item.add_marker("browser")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what cannot be imported without torch."""
    return True if find_spec("torch") is None and _is_marked(collection_path, "torch") else None


def pytest_report_header() -> str | None:
    """Say so where tests are left out."""
    return None if find_spec("torch") else "torch is not installed: its tests are left out"


@pytest.fixture(scope="session", autouse=True)
def _runtime_folder() -> Iterator[None]:
    """Runs of other people on this machine are not to read our meters, nor we theirs.

    The names of sockets in it may have some 100 letters, which those of pytest's folders exceed.
    """
    with tempfile.TemporaryDirectory(prefix="glam-test-", ignore_cleanup_errors=True) as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        yield


@pytest.fixture(autouse=True)
def _own_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test meters a node of its own, and nobody has calibrated it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", tempfile.mkdtemp(dir=os.environ["XDG_RUNTIME_DIR"]))
    monkeypatch.setenv("XDG_RUNTIME_DIR", tempfile.mkdtemp(dir=os.environ["XDG_RUNTIME_DIR"]))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in for NVIDIA's library, compiled once; settings are listed in nvml.c.

    Without a C compiler the test is skipped; in CI it fails.
    """
    from energy.errors import MissingDataError
    from tests.support.standin import compiled_nvml

    try:
        return compiled_nvml(tmp_path_factory.mktemp("nvml"))
    except MissingDataError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture
def simulator(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run the command `simulator`; give its exit code, its output and what it wrote to stderr."""
    from simulator.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["simulator", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run
