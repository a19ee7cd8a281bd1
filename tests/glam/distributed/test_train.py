"""`glam train` under torchrun: the run of one process, which one process can go on with."""

import json
import resource
from pathlib import Path

import pytest

from benchmarks.distributed.rewrite import rewrite
from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.checkpoints.folder import kinds_in, load_tensors, read_facts
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism
from glam.training.run import train
from tests.glam.checkpoints.test_checkpoint import configuration, save, trained
from tests.support.launch import torchrun
from tests.support.small_models import metrics_rows

CONFIG = """
name = "small"
[shape]
n_layers = 2
d_model = 32
n_heads = 2
n_kv_heads = 2
d_head = 16
d_ff = 64
ffn_matrices = 3
vocab_size = 512
seq_len = 16
relative_buckets = 32
n_moe_layers = 1
n_experts = 4
top_k = 2
d_expert = 24
[training]
steps = 4
batch_sequences = 2
log_every = 1
evaluate_batches = 1
threads = 1
device = "cpu"
precision = "float32"
[corpus]
paths = ["texts"]
validation_fraction = 0.3
"""


@pytest.mark.process
def test_two_processes_train_the_model_of_one_which_goes_on_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text(CONFIG)
    (tmp_path / "texts").mkdir()
    for path in Path(json.__file__).parent.glob("*.py"):
        (tmp_path / "texts" / path.name).write_text(path.read_text())
    config = GlamConfig.of("run.toml")
    command = ("glam", "train", "--model", "run.toml", "--expert-parallel", 2, "--shard")
    run = torchrun(2, *command, "--out", "two", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    two = tmp_path / "two"
    train(config, tmp_path / "one", peak_flop_per_s=1e12)
    for ours, theirs in zip(metrics_rows(two), metrics_rows(tmp_path / "one"), strict=True):
        for name in ("loss", "gradient_norm", "auxiliary_loss"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-6), name
        assert ours["tokens"] == theirs["tokens"]
    record = RunRecord.load(two / "record.json")
    assert record.tokens.value == 4 * 2 * 16
    total = record.totals["chip"].value
    assert total > 0
    # Two ranks share a host, whose joules the first owns; the last line is of a moment before.
    assert 0 < metrics_rows(two)[-1]["energy_j"] <= total * (1 + 1e-9)
    assert [rank.steps for rank in record.ranks] == [4, 4]
    assert all(rank.waiting_s.value >= 0 for rank in record.ranks)
    assert "waiting" in {phase.name for phase in record.phases}
    (attempt,) = record.attempts
    assert (attempt.name, attempt.ranks, attempt.wasted_flop.value) == ("0", 2, 0)
    assert (two / "rank-1" / "ledger.jsonl").exists()

    longer = train(config.with_training(steps=6), two, resume=True, peak_flop_per_s=1e12)
    assert longer.totals["chip"].value > total  # those of the two as well
    last = metrics_rows(two)[-1]["energy_j"]  # None where it came before the first sample
    assert last is None or last > total
    assert [row["step"] for row in metrics_rows(two)] == [1, 2, 3, 4, 5, 6]
    assert load_checkpoint(checkpoints(two / "checkpoints")[-1]).step == 6
    require_one_format(tmp_path)

    # A file that is damaged is named, and the checkpoint before it is used.
    (manifest,) = two.glob("checkpoints/step-00000004/checkpoint.json")
    name = next(iter(json.loads(manifest.read_text())["files"]))
    (manifest.parent / name).write_bytes(b"")
    with pytest.raises(Exception, match=f"a checksum of {name}"):
        load_checkpoint(manifest.parent)


def require_one_format(folder):
    """One process and two write the same, and each reads what the other wrote bit by bit."""
    alone, together = (checkpoints(folder / run / "checkpoints")[-1] for run in ("one", "two"))
    assert {*read_facts(alone)} == {*read_facts(together)}
    assert read_facts(alone)["format"] == read_facts(together)["format"]
    assert kinds_in(alone) == kinds_in(together)
    run = torchrun(
        *(2, "benchmarks.distributed.rewrite", alone.parent, folder / "one-by-two"),
        *("--expert-parallel", 2, "--shard"),
        cwd=folder,
    )
    assert run.returncode == 0, run.stderr
    rewrite([(together.parent, folder / "two-by-one")], Parallelism())
    for path, other in ((alone, "one-by-two"), (together, "two-by-one")):
        before, after = load_tensors(path), load_tensors(folder / other / path.name)
        assert before.keys() == after.keys()
        assert all(tensor.equal(after[name]) for name, tensor in before.items())


@pytest.mark.process
def test_a_full_disk_of_two_processes_is_one_line_and_leaves_nothing(tmp_path):
    config = configuration()
    save(tmp_path / "one", 3, config, *trained(config))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        run = torchrun(2, "benchmarks.distributed.rewrite", "one", "two", cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert run.returncode != 0
    assert "error: expected to write two/step-00000003; got file too large" in run.stderr
    assert list((tmp_path / "two").iterdir()) == []
