"""A killed and resumed run is the uninterrupted one, bit for bit; what it lost is wasted."""

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

from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from tests.support.small_models import DENSE_TOML

STEPS = 700
KILLS = 20
RUN = f"""
name = "tiny"
{DENSE_TOML}
n_moe_layers = 1
n_experts = 4
top_k = 2
d_expert = 16
[training]
steps = {STEPS}
batch_sequences = 2
log_every = 5
checkpoint_every = 7
threads = 1
[corpus]
held_out = 0.3
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("restart")
    (folder / "run.toml").write_text(RUN)
    texts = folder / "texts"
    texts.mkdir()
    for number, path in enumerate(sorted(Path(json.__file__).parent.glob("*.py"))):
        text = path.read_text()
        for part in range(0, len(text), 4000):
            (texts / f"{number}-{part}.txt").write_text(text[part : part + 4000])
    return folder


def started(place, out, *more):
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from glam.cli import main; main()",
            "train",
            "--model",
            str(place / "run.toml"),
            "--data",
            str(place / "texts"),
            "--out",
            str(out),
            *more,
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(place / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(run):
    _, told = run.communicate(timeout=120)
    assert run.returncode == 0, told.decode()


@pytest.fixture(scope="module")
def whole(place):
    """The uninterrupted run."""
    finished(started(place, place / "whole"))
    return place / "whole"


def final(out):
    return load_checkpoint(checkpoints(out / "checkpoints")[-1])


def steps_begun(out):
    path = out / "ledger.jsonl"
    return path.read_bytes().count(b'"kind":"step"') if path.exists() else 0


def test_a_run_killed_twenty_times_equals_the_uninterrupted_one(place, whole):
    """Each attempt is killed a random number of steps after it went on."""
    out, draw = place / "killed", random.Random(11)
    for _ in range(KILLS):
        run = started(place, out, *(["--resume"] if out.exists() else []))
        before, more = steps_begun(out), draw.randint(1, 20)
        while run.poll() is None and steps_begun(out) < before + more:
            time.sleep(0.002)
        assert run.poll() is None, "the run ended before it was killed"
        run.send_signal(signal.SIGKILL)
        run.communicate()
    finished(started(place, out, "--resume"))
    ours, theirs = final(out), final(whole)
    assert ours.step == theirs.step == STEPS
    assert ours.tensors.keys() == theirs.tensors.keys()
    for name, tensor in theirs.tensors.items():
        assert tensor.equal(ours.tensors[name]), name
    record, other = (RunRecord.load(folder / "record.json") for folder in (out, whole))
    for name in ("tokens", "model_flop", "params_total", "params_active"):
        assert getattr(record, name).value == getattr(other, name).value
    assert record.wasted.model_flop.value > 0
    assert 0 < record.wasted.energy_j.value < record.totals["chip"].value
    assert other.wasted.energy_j.value == 0
    step = {window.name: window.count for window in record.windows}
    assert step["step"] == STEPS

    def lines(folder):
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [(row["step"], row["tokens"], row["loss"], row["expert_load"]) for row in rows]

    assert lines(out)[-1] == lines(whole)[-1]
    assert lines(out) == lines(whole)

    for name in ("loss", "held_out_loss", "steps", "skipped_steps"):
        assert record.metrics[name].value == other.metrics[name].value, name


def test_one_interrupt_ends_well_and_resumes_to_the_same_weights(place, whole):
    out = place / "interrupted"
    run = started(place, out)
    while steps_begun(out) < 10 and run.poll() is None:
        time.sleep(0.002)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told.decode()
    assert (out / "record.json").exists()
    assert b"Traceback" not in told
    finished(started(place, out, "--resume"))
    for name, tensor in final(whole).tensors.items():
        assert tensor.equal(final(out).tensors[name]), name
    assert RunRecord.load(out / "record.json").wasted.energy_j.value == 0


def test_a_truncated_checkpoint_is_refused_and_the_newest_good_one_is_used(place, whole):
    out = place / "truncated"
    shutil.copytree(whole, out)
    good, bad = checkpoints(out / "checkpoints")[-2:]
    bad.write_bytes(bad.read_bytes()[:-100])
    run = started(place, out, "--resume")
    _, told = run.communicate(timeout=60)
    assert run.returncode == 0, told.decode()
    assert f"going on from {good.name}" in told.decode()
    assert bad.name in told.decode()
    for name, tensor in final(whole).tensors.items():
        assert tensor.equal(final(out).tensors[name]), name


def test_joules_and_seconds_of_a_resumed_run_go_on_from_where_they_were(place, whole):
    lines = (place / "interrupted" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    joules, seconds = (
        [row[name] for row in rows if row[name] is not None] for name in ("energy_j", "elapsed_s")
    )
    assert joules == sorted(joules)
    assert seconds == sorted(seconds)
    record = RunRecord.load(place / "interrupted" / "record.json")
    assert joules[-1] <= record.totals["chip"].value * 1.0001
    assert joules[-1] > 0.5 * record.totals["chip"].value
