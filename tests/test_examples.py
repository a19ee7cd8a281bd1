"""Each example runs to its end where only what its first line installs is installed."""

import ast
import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions

import pytest

from tests.support import ROOT
from tests.support.venv import environment_of, needed

EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_file())
SRUN = """#!/bin/sh
for rank in 0 1; do
  SLURM_PROCID=$rank SLURM_LOCALID=$rank SLURM_NTASKS=2 SLURM_NODEID=0 SLURM_NNODES=1 "$@" &
done
wait
"""
"""Stands in for Slurm's: two tasks of this machine."""

COMMANDS = {
    ".py": "python",
    ".sh": "bash",
    ".sbatch": "bash",
    "torchrun_two_ranks.py": "torchrun --standalone --nproc-per-node=2",
}

PRINTED = {
    "compare_two_runs": r"joules a FLOP: \d.* \(80 %: .*assumed\)",
    "huggingface": r"(?s)tokens: 5,120 \(measured\)\nchip: [\d.]+ k?J ",
    "jax_loop": r"step x 50: .*\d m?J",
    "lightning_trainer": r"32 batches\nchip: [\d.,]+ k?J ",
    "model_card": r"  emissions: 0\.\d+\n",
    "plan_a_cluster": r"facility: [\d.]+ MWh \(80 %: .*\)\nCO2e, location: [\d.]+ t ",
    "pytorch_loop": r"40 steps, loss .*\nchip: [\d.,]+ k?J ",
    "serve_a_model": r"batch 128: 0.\d+ J \(80 %: .*\) a token, ",
    "slurm": r"note: merged from \d devices in 2 ledgers\n[\d.,]+ k?J ",
    "torchrun_two_ranks": r"rank 1: .*\njob, chip: [\d.,]+ k?J ",
}
"""What each prints at least."""


def installs(path):
    """The requirements that the first line of an example names (after that of a shell)."""
    first = next(line for line in path.read_text().splitlines() if not line.startswith("#!"))
    return shlex.split(re.fullmatch(r"# pip install (.+)", first)[1])


def test_what_each_example_prints_is_known():
    assert {path.stem for path in EXAMPLES} == PRINTED.keys()


@pytest.mark.torch  # which the examples install, or what needs it
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_imports_what_its_first_line_installs(path):
    text = path.read_text()
    assert len(text.splitlines()) < 60
    wanted = installs(path)
    if path.suffix != ".py":
        return
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    others = imported - sys.stdlib_module_names - {"energy", "glam", "simulator"}
    try:
        brought = needed(wanted)
    except PackageNotFoundError:
        assert others <= set(wanted)  # named itself
        return
    owners = packages_distributions()
    assert [name for name in others if not {o.lower() for o in owners[name]} & brought.keys()] == []


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_to_its_end_with_what_it_installs_and_nothing_else(path, tmp_path):
    try:
        bin_ = environment_of(installs(path), tmp_path / "venv")
    except PackageNotFoundError as error:
        pytest.skip(f"{path.name} needs {error.name}, which is not installed here")
    (bin_ / "srun").write_text(SRUN)
    (bin_ / "srun").chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    settings = {
        "PATH": f"{bin_}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
        "SLURM_JOB_ID": "7",
    }
    start = COMMANDS.get(path.name) or COMMANDS[path.suffix]
    words = [*shlex.split(start), path]
    if path.suffix == ".sbatch":
        words += ["python", "-c", "sum(range(10**6))"]
    end = subprocess.run(
        words, cwd=tmp_path, env={**kept, **settings}, capture_output=True, text=True, timeout=1800
    )
    assert end.returncode == 0, end.stdout + end.stderr
    assert re.search(PRINTED[path.stem], end.stdout + end.stderr), end.stdout + end.stderr
