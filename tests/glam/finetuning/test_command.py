"""The verb `glam finetune`: its checkpoint and record, bad input, Ctrl-C and SIGKILL."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints
from glam.generation.loading import load_trained
from tests.glam.evaluation.modules import untrained_run

ITEM = {"query": "The lamp broke, because", "choices": ["it fell.", "it shone."], "gold": 0}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("run"))


def write_items(folder, **splits):
    folder.mkdir()
    for split, count in splits.items():
        name = "copa.jsonl" if split == "test" else f"copa.{split}.jsonl"
        rows = [{**ITEM, "query": f"{split} {n}: {ITEM['query']}"} for n in range(count)]
        (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.mark.process
def test_a_tuned_model_is_evaluated_before_and_after_and_read_like_any_other(glam, run, tmp_path):
    data = write_items(tmp_path / "items", train=12, validation=4, test=6)
    options = ("--task", "copa", "--data", data, "--meter", "cpu_model", "--batch", 4)
    tune = ("--learning-rate", 0.02, "--epochs", 2, "--out", "tuned", "--json")
    result = glam("finetune", run, *options, *tune)
    assert result.code == 0, result.err
    document = json.loads(result.out)
    losses = document["validation_losses"]
    assert (document["steps"], len(losses)) == (6, 3)
    assert min(losses) < losses[0]
    (row,) = document["differences"]
    assert (row["task"], row["items"]) == ("copa", 6)
    record = RunRecord.load(tmp_path / "tuned" / "record.json")
    phases = {phase.name: phase.energy_j.value for phase in record.phases}
    assert phases["finetuning"] > 0
    assert {"before copa", "after copa", "step"} <= {window.name for window in record.windows}
    assert record.metrics["validation_loss"].value == pytest.approx(min(losses))
    assert 0 < record.model_flop.value <= record.executed_flop.value
    assert len(checkpoints(tmp_path / "tuned" / "checkpoints")) == 1
    assert load_trained(tmp_path / "tuned", "cpu").step == 3 + document["best_step"]
    words = ("--data", data, "--tasks", "copa", "--meter", "cpu_model", "--json")
    result = glam("eval", "tuned", *words)
    assert result.code == 0, result.err
    tasks = {task["name"]: task for task in json.loads(result.out)["tasks"]}
    assert tasks["copa"]["value"] == pytest.approx(row["second"])
    assert glam("generate", "tuned", "--tokens", 2).code == 0
    again = glam("finetune", run, *options, "--out", "tuned")
    assert again.code == 2
    assert "holds a run" in again.err


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--task", "home_docstrin"), 2, "did you mean home_docstring"),
        (("--task", "boolq"), 4, "no boolq.train.jsonl"),
        (("--weights", "lora"), 2, "--weights all, frozen-router or adapters"),
        (("--weights", "adapters", "--targets", "expert"), 2, "did you mean experts"),
        (("--learning-rate", "inf"), 2, "a number above 0"),
        (("--data", "nowhere"), 2, "folder of JSON lines at nowhere"),
    ],
)
def test_a_slip_is_one_line_before_any_work(glam, run, tmp_path, options, code, said):
    data = write_items(tmp_path / "items", train=4)
    words = {"--task": "copa", "--data": data, "--out": "tuned"}
    words |= dict(zip(options[::2], options[1::2], strict=True))
    result = glam("finetune", run, *(word for pair in words.items() for word in pair))
    assert result.code == code
    assert said in result.err
    assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "tuned" / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("copa.train.jsonl", '{"query": ', "line 1 of"),
        ("copa.validation.jsonl", "", "an empty file"),
        ("copa.train.jsonl", json.dumps(ITEM), "an empty split"),
    ],
)
def test_broken_lines_and_empty_splits_are_named(glam, run, tmp_path, name, text, said):
    data = write_items(tmp_path / "items", train=4)
    (data / name).write_text(text)
    result = glam("finetune", run, "--task", "copa", "--data", data, "--out", "tuned")
    assert result.code == 2
    assert said in result.err
    assert len(result.err.splitlines()) == 1


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_leaves_whole_files(run, tmp_path, number):
    data = write_items(tmp_path / "items", train=40, validation=4)
    words = ["finetune", run, "--task", "copa", "--data", data, "--out", tmp_path / "tuned"]
    words += ["--epochs", 100000, "--patience", 100000, "--meter", "cpu_model"]
    started = subprocess.Popen(
        [sys.executable, "-m", "glam", *map(str, words)],
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until = time.monotonic() + 120
        while len(steps(tmp_path / "tuned")) < 2 and time.monotonic() < until:
            assert started.poll() is None
            time.sleep(0.05)
        os.kill(started.pid, number)
        _, err = started.communicate(timeout=60)
    finally:
        started.kill()
    assert load_trained(tmp_path / "tuned", "cpu").step >= 3
    if number == signal.SIGINT:
        assert started.returncode == 130
        assert b"Traceback" not in err
        record = RunRecord.load(tmp_path / "tuned" / "record.json")
        assert any("interrupted" in note for note in record.notes)


def steps(folder):
    """Names of the steps in the ledger of a run."""
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_bytes().split(b"\n") if ledger.exists() else []
    return [line for line in lines if b'"step"' in line]
