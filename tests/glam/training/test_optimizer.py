"""Adafactor and AdamW follow their papers, and a gradient that is not finite changes nothing."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from glam.config import Training
from glam.model.decoder import Glam
from glam.training.optimizer import (
    FINAL_RATIO,
    build_optimizer,
    learning_rate,
    objective,
    update,
)
from glam.uncompiled import AdamW
from tests.support.small_models import CLOSE, TINY_MIXTURE


def single_weight(*sizes, **recipe):
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.randn(*sizes))
    training = Training(**recipe)
    return model, build_optimizer(model, training), training


def adafactor(weight, gradients, rate):
    """Algorithms 4 and 5 of arXiv:1804.04235 for (..., n, m), as in the paper, in float64.

    rho_t = min(rate, 1/sqrt(t)), beta_2t = 1 - t^-0.8, d = 1, eps_2 = 1e-3.
    """
    x = weight.double()
    row, column = torch.zeros(x.shape[:-1]).double(), torch.zeros(*x.shape[:-2], x.shape[-1])
    for t, gradient in enumerate(gradients, start=1):
        g = gradient.double()
        beta = 1 - t**-0.8
        alpha = max(1e-3, x.square().mean().sqrt()) * min(rate, t**-0.5)
        row = beta * row + (1 - beta) * g.square().sum(-1)
        column = beta * column + (1 - beta) * g.square().sum(-2)
        v = row[..., :, None] * column[..., None, :] / row.sum(-1)[..., None, None]
        u = g / v.sqrt()
        x = x - alpha * u / max(1, u.square().mean().sqrt())
    return x


@pytest.mark.parametrize("form", ["gshard", "torch"])
@pytest.mark.parametrize("sizes", [(6, 5), (3, 6, 5)], ids=["a matrix", "three experts"])
def test_adafactor_follows_its_paper(sizes, form):
    model, optimizer, training = single_weight(*sizes, learning_rate=0.01, adafactor_form=form)
    rate = 0.01
    gradients = torch.randn(8, *sizes)
    expected = adafactor(model.weight.detach(), gradients, rate)
    for step, gradient in enumerate(gradients, start=1):
        model.weight.grad = gradient.clone()
        assert update(model, optimizer, training, step)
    torch.testing.assert_close(model.weight.double(), expected, rtol=1e-5, atol=1e-5)


def test_gradients_of_any_size_give_the_same_adafactor_update_as_in_the_paper():
    """torch.optim.Adafactor divides by a mean square of at least 1.2e-7, and so does not."""
    updates = {}
    for form in ("gshard", "torch"):
        for size in (1.0, 1e-6):
            model, optimizer, training = single_weight(64, 32, adafactor_form=form)
            before = model.weight.detach().clone()
            gradient = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
            gradient[0] *= 100
            model.weight.grad = size * gradient
            update(model, optimizer, training, 1)
            updates[form, size] = model.weight.detach() - before
    torch.testing.assert_close(updates["gshard", 1.0], updates["gshard", 1e-6], **CLOSE)
    torch.testing.assert_close(updates["gshard", 1.0], updates["torch", 1.0], **CLOSE)
    assert (updates["torch", 1e-6] - updates["torch", 1.0]).abs().max() > 1e-3


def test_adafactor_of_either_form_goes_on_from_the_state_of_the_other():
    model, optimizer, training = single_weight(6, 5, adafactor_form="torch")
    model.weight.grad = torch.randn(6, 5)
    update(model, optimizer, training, 1)
    other, others_optimizer, others = single_weight(6, 5, adafactor_form="gshard")
    other.load_state_dict(model.state_dict())
    ours = others_optimizer.state_dict()
    others_optimizer.load_state_dict(ours | {"state": optimizer.state_dict()["state"]})
    gradient = torch.randn(6, 5)
    for each, its_optimizer, recipe in (
        (model, optimizer, training),
        (other, others_optimizer, others),
    ):
        each.weight.grad = gradient.clone()
        update(each, its_optimizer, recipe, 2)
    torch.testing.assert_close(model.weight, other.weight, **CLOSE)


def test_adafactor_stores_a_row_and_a_column_for_a_matrix():
    model, optimizer, training = single_weight(64, 32)
    model.weight.grad = torch.ones(64, 32)
    update(model, optimizer, training, 1)
    size = sum(t.numel() for t in optimizer.state[model.weight].values())
    assert size == 64 + 32 + 1


def test_adamw_follows_its_paper():
    """arXiv:1711.05101, algorithm 2, with a gradient that is clipped in the first step."""
    recipe = {"learning_rate": 0.1, "warmup_steps": 0, "steps": 4, "weight_decay": 0.1}
    model, optimizer, training = single_weight(5, 4, optimizer="adamw", **recipe)
    x, m, v = model.weight.detach().double(), 0.0, 0.0
    for t, gradient in enumerate(torch.randn(4, 5, 4), start=1):
        gradient = gradient * (100 if t == 1 else 0.01)
        model.weight.grad = gradient.clone()
        assert update(model, optimizer, training, t)
        g, rate = gradient.double(), learning_rate(training, t)
        g = g * min(1, 1 / (g.norm() + 1e-6))
        m, v = 0.9 * m + 0.1 * g, 0.95 * v + 0.05 * g.square()
        x = x * (1 - rate * 0.1)
        x = x - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.95**t)).sqrt() + 1e-8)
    torch.testing.assert_close(model.weight.double(), x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["adafactor", "adamw"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(name, value):
    training = Training(optimizer=name)
    model = Glam(TINY_MIXTURE)
    optimizer = build_optimizer(model, training)
    tokens = torch.randint(0, 50, (2, 9), generator=torch.Generator().manual_seed(0))
    model(tokens).loss.backward()
    assert update(model, optimizer, training, 1)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state = {
        index: {key: tensor.clone() for key, tensor in tensors.items()}
        for index, tensors in optimizer.state_dict()["state"].items()
    }
    model(tokens).loss.backward()
    model.layers[0].ffn.experts.up.grad[0, 0, 0] = value
    assert not update(model, optimizer, training, 2)
    assert all(tensor.equal(before[key]) for key, tensor in model.state_dict().items())
    for index, tensors in optimizer.state_dict()["state"].items():
        assert all(tensor.equal(state[index][key]) for key, tensor in tensors.items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("recipe", [{"optimizer": "adamw"}, {}, {"second_moment_decay": "adam"}])
def test_an_optimizer_skips_an_update_without_being_asked_by_the_host(recipe):
    """As on a GPU, where the verdict on the gradients is a tensor that nothing waits for."""
    model, optimizer, _ = single_weight(6, 5, **recipe)
    twin, twins_optimizer, _ = single_weight(6, 5, **recipe)
    for gradient in (*torch.randn(2, 6, 5), torch.full((6, 5), math.nan), torch.randn(6, 5)):
        finite = bool(gradient.isfinite().all())
        model.weight.grad, twin.weight.grad = gradient.clone(), gradient.clone()
        optimizer.found_inf = torch.tensor(0.0 if finite else 1.0)
        before = model.weight.detach().clone()
        optimizer.step()
        if finite:
            twins_optimizer.step()
        assert model.weight.equal(before) != finite
    torch.testing.assert_close(model.weight, twin.weight, **CLOSE)
    for name, value in twins_optimizer.state[twin.weight].items():
        torch.testing.assert_close(optimizer.state[model.weight][name], value, **CLOSE)


@pytest.mark.parametrize("name", ["adafactor", "adamw"])
def test_a_step_on_a_gpu_waits_for_no_result(name, monkeypatch):
    """A tensor on the meta device has no values: whatever reads one raises."""
    # torch's fused update is one operation, which the meta device does not have.
    monkeypatch.setattr(AdamW, "step", lambda optimizer: None)
    with torch.device("meta"):
        model = Glam(TINY_MIXTURE, precision="bfloat16")
        tokens = torch.zeros((2, 9), dtype=torch.long)
    training = Training(optimizer=name)
    optimizer = build_optimizer(model, training)
    for step in (1, 2):
        output = model(tokens)
        objective(output, training).backward()
        applied = update(model, optimizer, training, step, output.loss)
    assert applied.is_meta
    with pytest.raises(RuntimeError, match="meta"):
        bool(applied)


def test_every_weight_is_in_one_group_and_only_matrices_decay():
    model = Glam(TINY_MIXTURE)
    optimizer = build_optimizer(model, Training(optimizer="adamw", weight_decay=0.5))
    decayed, undecayed = optimizer.param_groups
    assert (decayed["weight_decay"], undecayed["weight_decay"]) == (0.5, 0.0)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    names = {id(p): name for name, p in model.named_parameters()}
    endings = {names[id(p)].rsplit(".", 1)[1] for p in undecayed["params"]}
    assert endings == {"bias", "scale"}


@given(
    steps=st.integers(1, 10_000),
    warmup=st.integers(0, 2_000),
    step=st.integers(1, 20_000),
    rate=st.floats(1e-5, 1.0),
)
def test_the_adamw_rate_rises_to_its_peak_and_decays_to_a_tenth(steps, warmup, step, rate):
    training = Training(optimizer="adamw", steps=steps, warmup_steps=warmup, learning_rate=rate)
    current, following = (learning_rate(training, number) for number in (step, step + 1))
    assert 0 < current <= rate * (1 + 1e-9)
    if step + 1 <= warmup:
        assert current <= following
    if step >= warmup:
        assert current >= following >= rate * FINAL_RATIO * (1 - 1e-9)


def test_the_worked_numbers_of_the_schedule_are_right():
    training = Training(optimizer="adamw", learning_rate=1.0, warmup_steps=10, steps=110)
    assert learning_rate(training, 5) == pytest.approx(0.5)
    assert learning_rate(training, 60) == pytest.approx(0.55)
    assert learning_rate(training, 110) == pytest.approx(0.1)
    assert learning_rate(Training(learning_rate=0.01), 7) == 0.01
