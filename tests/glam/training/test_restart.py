"""A killed and resumed run equals an uninterrupted one bit for bit; lost work is wasted."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.tiny import MIXTURE_TOML
from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from tests.support.small_models import metrics_rows

STEPS = 700
KILLS = 20
RUN = f"""
name = "tiny"
{MIXTURE_TOML}
[training]
steps = {STEPS}
batch_sequences = 2
log_every = 5
checkpoint_every = 7
threads = 1
precision = "float32"
[corpus]
validation_fraction = 0.3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a configuration and texts."""
    folder = tmp_path_factory.mktemp("restart")
    (folder / "run.toml").write_text(RUN)
    texts = folder / "texts"
    texts.mkdir()
    for number, path in enumerate(sorted(Path(json.__file__).parent.glob("*.py"))):
        text = path.read_text()
        for part in range(0, len(text), 4000):
            (texts / f"{number}-{part}.txt").write_text(text[part : part + 4000])
    return folder


def start(folder, out, *options):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from glam.cli import main; main()",
            "train",
            "--model",
            str(folder / "run.toml"),
            "--data",
            str(folder / "texts"),
            "--out",
            str(out),
            *options,
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(run):
    _, err = run.communicate(timeout=120)
    assert run.returncode == 0, err.decode()


@pytest.fixture(scope="module")
def whole(folder):
    """The uninterrupted run."""
    finish(start(folder, folder / "whole"))
    return folder / "whole"


def final_checkpoint(out):
    return load_checkpoint(checkpoints(out / "checkpoints")[-1])


def steps_done(out):
    path = out / "ledger.jsonl"
    return path.read_bytes().count(b'"kind":"step"') if path.exists() else 0


def test_a_run_killed_twenty_times_equals_the_uninterrupted_one(folder, whole):
    """Each attempt is killed after a random number of steps."""
    out, generator = folder / "killed", random.Random(11)
    for _ in range(KILLS):
        run = start(folder, out, *(["--resume"] if out.exists() else []))
        target = steps_done(out) + generator.randint(1, 20)
        while run.poll() is None and steps_done(out) < target:
            time.sleep(0.002)
        assert run.poll() is None, "the run ended before it was killed"
        run.send_signal(signal.SIGKILL)
        run.communicate()
    finish(start(folder, out, "--resume"))
    ours, theirs = final_checkpoint(out), final_checkpoint(whole)
    assert ours.step == theirs.step == STEPS
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert tensor.equal(ours.tensors[name]), name
    record, expected = (RunRecord.load(run / "record.json") for run in (out, whole))
    for name in ("tokens", "model_flop", "params_total", "params_active"):
        assert getattr(record, name).value == getattr(expected, name).value
    assert record.wasted.model_flop.value > 0
    assert 0 < record.wasted.energy_j.value < record.totals["chip"].value
    assert expected.wasted.energy_j.value == 0
    step = {window.name: window.count for window in record.windows}
    assert step["step"] == STEPS

    def logged(run):
        names = ("step", "tokens", "loss", "expert_load")
        return [[row[name] for name in names] for row in metrics_rows(run)]

    assert logged(out)[-1] == logged(whole)[-1]
    assert logged(out) == logged(whole)

    for name in ("loss", "validation_loss", "steps", "skipped_steps"):
        assert record.metrics[name].value == expected.metrics[name].value, name


def test_one_interrupt_ends_a_run_in_order_and_it_resumes_to_the_same_weights(folder, whole):
    out = folder / "interrupted"
    run = start(folder, out)
    while steps_done(out) < 10 and run.poll() is None:
        time.sleep(0.002)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err.decode()
    assert (out / "record.json").exists()
    assert b"Traceback" not in err
    finish(start(folder, out, "--resume"))
    for name, tensor in final_checkpoint(whole).tensors.items():
        assert tensor.equal(final_checkpoint(out).tensors[name]), name
    assert RunRecord.load(out / "record.json").wasted.energy_j.value == 0


def test_a_truncated_checkpoint_is_refused_and_the_newest_valid_one_is_used(folder, whole):
    out = folder / "truncated"
    shutil.copytree(whole, out)
    valid, damaged = checkpoints(out / "checkpoints")[-2:]
    shards = damaged / "__0_0.distcp"
    shards.write_bytes(shards.read_bytes()[:-100])
    run = start(folder, out, "--resume")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err.decode()
    assert f"using {valid.name}" in err.decode()
    assert f"{damaged.name}; got a checksum of __0_0.distcp that" in err.decode()
    for name, tensor in final_checkpoint(whole).tensors.items():
        assert tensor.equal(final_checkpoint(out).tensors[name]), name


def test_energy_and_time_of_a_resumed_run_continue_where_they_stopped(folder, whole):
    rows = metrics_rows(folder / "interrupted")
    joules, seconds = (
        [row[name] for row in rows if row[name] is not None] for name in ("energy_j", "elapsed_s")
    )
    assert joules == sorted(joules)
    assert seconds == sorted(seconds)
    record = RunRecord.load(folder / "interrupted" / "record.json")
    assert joules[-1] <= record.totals["chip"].value * 1.0001
    assert joules[-1] > 0.5 * record.totals["chip"].value
