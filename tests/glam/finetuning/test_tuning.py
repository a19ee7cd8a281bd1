"""Fine-tuning: what is trained, on which loss, and what it costs."""

import pytest
import torch

from glam.config import Dispatch, Training
from glam.evaluation import suite
from glam.evaluation.items import Items
from glam.evaluation.model import GlamLM
from glam.evaluation.rows.choices import piqa
from glam.finetuning.examples import Example, batches, examples
from glam.finetuning.tuner import Recipe, Tuner, answer_loss
from glam.finetuning.weights import TARGETS, Tuned
from glam.generation.loading import load_trained
from glam.generation.work import Work
from glam.model.decoder import Glam
from tests.glam.evaluation.modules import untrained_run

PIQA = suite.tasks()["piqa"]
ROWS = [
    {"query": f"Question: what follows {n}?", "choices": [f"{n} and 1", "no"], "gold": n % 2}
    for n in range(12)
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return load_trained(untrained_run(tmp_path_factory.mktemp("run")), "cpu")


@pytest.fixture
def model(trained):
    copy = Glam.of(trained.config, Dispatch())
    copy.load_state_dict(trained.model.state_dict())
    return copy


class Meter:
    """Counts windows by name and phase."""

    def __init__(self):
        self.windows = []

    def window(self, name, phase="compute"):
        from contextlib import nullcontext

        self.windows.append((name, phase))
        return nullcontext()


def made(trained, model, rows=ROWS):
    return examples(PIQA, Items(piqa(rows)), GlamLM(model, trained.tokenizer))


def test_the_loss_is_that_of_the_answers_alone_as_the_evaluation_scores_them(trained, model):
    rows = [{**row, "query": row["query"][:12]} for row in ROWS]  # within the window
    batch = made(trained, model, rows)
    reader = GlamLM(model, trained.tokenizer)
    total = tokens = 0.0
    for row, example in zip(rows, batch, strict=True):
        answer = row["choices"][row["gold"]]
        before, after = reader._encode_pair(f"{row['query']}\nAnswer:", f" {answer}")
        assert example == Example((*before, *after)[-17:], len(after))
        ((score, _),) = reader._scores([(before, after)])
        total, tokens = total - score, tokens + len(after)
    loss, balancing = answer_loss(model, batch, Work())
    assert loss.item() == pytest.approx(total / tokens, abs=1e-5)
    assert balancing.item() > 0


def test_padding_changes_no_loss(trained, model):
    batch = [Example((5, 6, 7, 8), 1), Example(tuple(range(4, 16)), 3)]
    together, _ = answer_loss(model, batch, Work())
    alone = [answer_loss(model, [example], Work())[0].item() for example in batch]
    assert together.item() == pytest.approx((alone[0] + 3 * alone[1]) / 4, abs=1e-5)


@pytest.mark.parametrize("target", TARGETS)
def test_each_target_of_adapters_changes_the_model_and_is_in_its_merged_weights(
    trained, model, target
):
    tokens = torch.arange(3, 15)[None]
    plain = model.logits(tokens)
    tuned = Tuned(model, "adapters", rank=2, targets=[target])
    assert torch.equal(model.logits(tokens), plain)  # the product of a new adapter is 0
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == ("lora_" in name)
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    adapted = model.logits(tokens)
    assert not torch.allclose(adapted, plain, atol=1e-3)
    merged = Glam.of(trained.config, Dispatch())
    merged.load_state_dict(tuned.state())
    assert torch.allclose(merged.logits(tokens), adapted, atol=1e-5)
    changed = {
        name
        for name, weight in tuned.state().items()
        if not torch.equal(weight, trained.model.state_dict()[name])
    }
    assert changed
    assert not any("router" in name or "norm" in name or name == "embedding" for name in changed)
    assert all((".experts." in name) == (target == "experts") for name in changed)


@pytest.mark.parametrize("weights", ["all", "frozen-router", "adapters"])
def test_tuning_lowers_the_loss_and_changes_only_what_it_may(trained, model, weights):
    meter, kept = Meter(), []
    batch = made(trained, model)
    tuned = Tuned(model, weights, rank=4)
    recipe = Recipe(weights, learning_rate=0.02, batch=4, epochs=4, patience=4)
    tuner = Tuner(tuned, recipe, batch, batch, Training(), meter)
    done = tuner.run(keep=lambda step, loss: kept.append((step, loss)))
    assert (done.step, done.epoch, len(done.losses)) == (12, 4, 5)
    assert done.losses[-1] < done.losses[0] - 0.3
    assert kept[0] == (0, done.losses[0])
    assert [loss for _, loss in kept] == sorted((loss for _, loss in kept), reverse=True)
    assert meter.windows.count(("step", "finetuning")) == 12
    before = trained.model.state_dict()
    same = {name for name, weight in tuned.state().items() if torch.equal(weight, before[name])}
    routers = {name for name in before if ".router." in name}
    if weights == "all":
        assert not same & routers
    else:
        assert routers <= same


def test_tuning_ends_when_the_validation_loss_no_longer_falls(trained, model):
    train, other = made(trained, model)[:4], made(trained, model)[4:]
    recipe = Recipe(learning_rate=0.3, batch=4, epochs=50, patience=2)
    done = Tuner(Tuned(model), recipe, train, other, Training(), Meter()).run(lambda *_: None)
    assert done.epoch < 50
    assert done.losses.index(min(done.losses)) == len(done.losses) - 3


def test_flop_of_adapters_lie_between_two_and_three_forward_passes(model):
    work = Work()
    answer_loss(model, [Example(tuple(range(3, 15)), 3)] * 4, work)
    full, executed = Tuned(model).flop(work)
    assert full == executed == 3 * work.model_flop
    frozen, _ = Tuned(model, "frozen-router").flop(work)
    few, really = Tuned(model, "adapters", rank=1).flop(work)
    assert 2 * work.model_flop < few < frozen < full
    assert really == executed


def test_every_epoch_has_all_examples_in_an_order_of_its_own():
    rows = [Example((n,), 1) for n in range(10)]
    orders = [[row for batch in batches(rows, 4, 0, epoch) for row in batch] for epoch in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order, key=lambda row: row.tokens) == rows for order in orders)


def test_a_batch_has_examples_of_about_one_length():
    rows = [Example(tuple(range(2 + n % 97)), 1) for n in range(1000)]
    padded = sum(
        len(batch) * max(len(row.tokens) for row in batch) for batch in batches(rows, 8, 0, 0)
    )
    assert padded < 1.1 * sum(len(row.tokens) for row in rows)
