"""The validation loss of a checkpoint is the one its run reported, under its old name too."""

import math

import pytest
import torch

from energy.errors import InputError
from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from glam.config import Corpus, Dispatch
from glam.data.corpus import load_corpus
from glam.model.decoder import Glam
from glam.training.run import train
from glam.training.validation import Evaluation, evaluate
from tests.support.small_models import metrics_rows, small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    dispatch = Dispatch(kind="gshard", capacity_factor=2.0, group_tokens=16)
    train(
        small_run(steps=4, evaluate_every=2, checkpoint_every=2, dispatch=dispatch),
        out,
        peak_flop_per_s=1e12,
    )
    return out


@pytest.fixture(scope="module")
def corpus():
    return load_corpus(Corpus(max_mb=0.2), 512)


def test_the_loss_of_a_checkpoint_is_the_one_that_its_run_reported(run, corpus):
    half, last = checkpoints(run / "checkpoints")
    record = RunRecord.load(run)
    rows = {row["step"]: row for row in metrics_rows(run)}
    for path, expected in (
        (half, rows[2]["validation_loss"]),
        (last, record.metrics["validation_loss"].value),
    ):
        result = evaluate(path, corpus, batches=1, batch_sequences=2, device="cpu")
        assert result.loss == expected == load_checkpoint(path).validation_loss
    assert "validation_loss" not in rows[1]


def test_a_model_a_checkpoint_and_its_file_give_the_same_result(run, corpus):
    path = checkpoints(run / "checkpoints")[-1]
    checkpoint = load_checkpoint(path)
    results = {
        evaluate(model, corpus, batches=2, batch_sequences=3, device="cpu")
        for model in (path, str(path), checkpoint, Glam.from_checkpoint(checkpoint))
    }
    (result,) = results
    assert result.tokens == 2 * 3 * 16
    assert result.perplexity == pytest.approx(math.exp(result.loss))


def test_micro_batches_change_the_memory_and_not_the_loss(run, corpus):
    path = checkpoints(run / "checkpoints")[-1]
    whole, parts = (
        evaluate(path, corpus, batches=1, batch_sequences=4, micro_batches=n, device="cpu")
        for n in (1, 4)
    )
    assert parts.loss == pytest.approx(whole.loss, rel=1e-5)


def test_evaluation_leaves_a_model_as_it_is(run, corpus):
    model = Glam.from_checkpoint(checkpoints(run / "checkpoints")[-1])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, corpus, batches=1, batch_sequences=2)
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()


def test_a_corpus_with_another_vocabulary_is_refused(run):
    corpus = load_corpus(Corpus(max_mb=0.2), 500)
    with pytest.raises(InputError, match="vocabulary of 512 tokens; got 500"):
        evaluate(checkpoints(run / "checkpoints")[-1], corpus)


def test_a_loss_too_large_for_an_exponential_has_infinite_perplexity():
    assert Evaluation(loss=1e4, tokens=1).perplexity == math.inf


def test_hfu_exceeds_mfu_by_the_padding_of_the_experts(run):
    record = RunRecord.load(run)
    padding = record.executed_flop.value / record.model_flop.value
    assert padding > 1
    mfu, hfu = (record.metrics[name].value for name in ("mfu", "hfu"))
    assert hfu / mfu == pytest.approx(padding)
    (steps,) = (window for window in record.windows if window.name == "step")
    rate = record.model_flop.value / steps.elapsed_s.value
    assert mfu == pytest.approx(rate / 1e12)
    for row in metrics_rows(run):
        assert row["hfu"] / row["mfu"] == pytest.approx(padding)


def test_records_that_call_it_held_out_loss_are_still_read(run, tmp_path):
    text = (run / "record.json").read_text()
    (tmp_path / "record.json").write_text(text.replace('"validation_loss"', '"held_out_loss"'))
    assert RunRecord.load(tmp_path).metrics == RunRecord.load(run).metrics
