"""GLaM is what its authors' framework builds: golden values of Praxis 1.4.0.

`python -m benchmarks.glam_reference` wrote them; tests/golden/glam/versions.json says when and with
what. Tolerances are relative to the largest value of a tensor.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from energy.shape import Shape
from glam.adafactor import Adafactor
from glam.architecture import GLAM, PLAIN
from glam.config import Dispatch, Training
from glam.model.decoder import Glam
from glam.moe.capacity import glam_capacity
from glam.moe.dispatch import CapacityDispatcher
from glam.moe.part import Part
from glam.moe.router import Router
from glam.training.optimizer import learning_rate

GOLDEN = Path(__file__).parents[1] / "golden" / "glam"
MODELS = ("mixture", "dense")
NO_DROPS = Dispatch(kind="glam", groups=1, unadjusted_capacity_factor=8.0)
LIMITED = Dispatch(kind="glam", groups=1, unadjusted_capacity_factor=1.0)


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as file:
        return {key: torch.from_numpy(np.array(file[key])) for key in file.files}


def part(arrays, prefix):
    return {
        name.removeprefix(f"{prefix}."): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}.")
    }


def built(name, dispatch=None, architecture=GLAM):
    """Our model with the weights of the framework's."""
    arrays = golden(name)
    shape = Shape.from_dict(json.loads((GOLDEN / "shapes.json").read_text())[name])
    model = Glam(shape, dispatch=dispatch, architecture=architecture)
    model.load_state_dict(part(arrays, "weights"))
    return model, arrays


def assert_close(ours, theirs, tolerance):
    assert ours.shape == theirs.shape
    difference = (ours.double() - theirs.double()).abs().max().item()
    assert difference <= tolerance * theirs.double().abs().max().item()


def outputs(model, tokens, generator=None):
    """All logits, and the losses without their weights."""
    x, _ = model.hidden_states(tokens[:, :-1], generator)
    output = model(tokens, generator)
    return {
        "logits": x @ model.embedding.T,
        "cross_entropy": output.loss,
        "z_loss": output.vocabulary_z_loss,
        "balancing_loss": output.auxiliary_loss,
    }


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dispatch", [Dispatch(), NO_DROPS], ids=["dropless", "room for all"])
def test_logits_and_losses_without_drops_equal_the_frameworks(name, dispatch):
    model, arrays = built(name, dispatch)
    for what, ours in outputs(model, arrays["tokens"], torch.Generator()).items():
        assert_close(ours, arrays[what], 1e-5)


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("moe_position", None),
        ("extra_logit", "logits"),
        ("scale_queries", "logits"),
        ("dense_activation", "logits"),
        ("expert_activation", "logits"),
        ("embedding_scale", "logits"),
        ("balance_over_layers", "balancing_loss"),
        ("vocabulary_z_loss", "z_loss"),
    ],
)
def test_each_field_of_the_architecture_is_needed_for_that(field, what):
    """With its value of `plain`, weights do not fit or a result is another."""
    other = replace(GLAM, **{field: getattr(PLAIN, field)})
    if what is None:
        with pytest.raises(RuntimeError, match=r"size mismatch|Missing key"):
            built("mixture", architecture=other)
        return
    model, arrays = built("mixture", architecture=other)
    with pytest.raises(AssertionError):
        assert_close(outputs(model, arrays["tokens"])[what], arrays[what], 1e-4)


def test_logits_and_losses_with_drops_equal_the_frameworks():
    model, arrays = built("mixture", LIMITED)
    _, routings = model.hidden_states(arrays["tokens"][:, :-1], torch.Generator())
    assert all(routing.dropped > 0.2 for routing in routings)
    for what, ours in outputs(model, arrays["tokens"], torch.Generator()).items():
        assert_close(ours, arrays[f"limited.{what}"], 1e-5)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_every_parameter_equal_the_frameworks(name):
    model, arrays = built(name)
    output = model(arrays["tokens"])
    total = output.loss + Training().auxiliary_weight * output.auxiliary_loss
    total.backward()
    z_loss = GLAM.vocabulary_z_loss * output.vocabulary_z_loss
    assert_close(total.detach() + z_loss, arrays["total_loss"], 1e-5)
    theirs = part(arrays, "gradients")
    assert theirs.keys() == dict(model.named_parameters()).keys()
    for parameter_name, parameter in model.named_parameters():
        assert_close(parameter.grad, theirs[parameter_name], 1e-4)


@pytest.mark.parametrize("factor", [1.0, 1.25, 2.0])
@pytest.mark.parametrize(
    ("policy", "threshold"), [("all", 0.5), ("sampling", 0.5), ("random", 0.5)]
)
def test_the_same_assignments_have_the_same_slots_with_the_same_draws(
    policy, threshold, factor, monkeypatch
):
    arrays = golden("gating")
    logits = arrays["logits"]
    n_groups, group, n_experts = logits.shape
    settings = Dispatch(
        kind="glam",
        groups=n_groups,
        second_expert=policy,
        second_expert_threshold=threshold,
        unadjusted_capacity_factor=factor,
    )
    draws = arrays[f"{policy}.draws"]
    monkeypatch.setattr(Part, "uniform", lambda _, size, generator: draws.reshape(size))
    router = Router(gating_shape(n_experts), settings)
    router.weight.data = torch.eye(n_experts)
    routing = router(logits.flatten(0, 1), torch.Generator())
    recorded = RecordedExperts()
    tokens = torch.arange(n_groups * group).float().unsqueeze(1)
    dispatched = CapacityDispatcher(settings)(tokens, routing, recorded, torch.Generator())
    theirs = arrays[f"{policy}.{factor}.slots"].flatten(0, 1)
    capacity = int(arrays[f"{policy}.{factor}.capacity"])
    assert recorded.slots == glam_capacity(factor, group, n_experts) * n_groups
    assert glam_capacity(factor, group, n_experts) == capacity
    kept = torch.zeros_like(theirs, dtype=torch.bool)
    kept.scatter_(1, routing.experts, dispatched.kept)
    assert kept.equal(theirs >= 0)
    # The token in a slot is the one that the framework put there.
    slot_of = recorded.rows.view(n_experts, n_groups, capacity)
    token, expert = (theirs >= 0).nonzero(as_tuple=True)
    assert slot_of[expert, token // group, theirs[token, expert].long()].equal(token.float())
    weights = torch.zeros(len(theirs), n_experts)
    weights.scatter_(1, routing.experts, (routing.weights * dispatched.kept).detach())
    assert_close(weights, arrays[f"{policy}.{factor}.weights"].flatten(0, 1), 1e-6)
    assert_close(routing.auxiliary_loss, arrays[f"{policy}.{factor}.balancing_loss"], 1e-6)


class RecordedExperts:
    """Experts that return their input and remember it."""

    def forward_slots(self, x):
        self.rows, self.slots = x[..., 0].clone(), x.shape[1]
        return x


def gating_shape(n_experts):
    sizes = json.loads((GOLDEN / "shapes.json").read_text())["mixture"]
    return Shape.from_dict({**sizes, "n_experts": n_experts, "d_model": n_experts})


@pytest.mark.parametrize("name", MODELS)
def test_one_adafactor_step_of_a_model_equals_the_frameworks(name):
    model, arrays = built(name)
    updated = part(golden("adafactor"), f"{name}.updated")
    gradients = part(arrays, "gradients")
    for parameter_name, parameter in model.named_parameters():
        parameter.grad = gradients[parameter_name].clone()
    Adafactor(model.parameters(), learning_rate(Training(learning_rate=0.01), 1)).step()
    for parameter_name, parameter in model.named_parameters():
        assert_close(parameter.detach(), updated[parameter_name], 1e-6)


@pytest.mark.parametrize("decay", ["power", "adam"])
def test_three_adafactor_steps_with_given_gradients_equal_the_frameworks(decay):
    """Experts of two stacked layers, each of which is a tensor of its own here."""
    arrays = golden("adafactor")
    for name, before in part(arrays, "before").items():
        stacked = name == "experts"
        weights = [w.clone().requires_grad_() for w in (before if stacked else [before])]
        optimizer = Adafactor(weights, 0.01, decay)
        for gradient, after in zip(
            arrays[f"gradients.{name}"], arrays[f"{decay}.{name}"], strict=True
        ):
            for i, weight in enumerate(weights):
                weight.grad = (gradient[i] if stacked else gradient).clone()
            optimizer.step()
            for i, weight in enumerate(weights):
                assert_close(weight.detach(), after[i] if stacked else after, 1e-6)


def test_the_learning_rate_is_constant_and_then_falls_as_the_frameworks():
    arrays = part(golden("adafactor"), "schedule")
    training = Training(learning_rate=0.01, adafactor_form="gshard")
    for before, rate in zip(arrays["steps_before"].tolist(), arrays["rates"].tolist(), strict=True):
        assert learning_rate(training, before + 1) == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_first_weights_have_the_mean_and_spread_of_the_frameworks(name):
    """Within three standard errors of the difference, over 64 draws of each."""
    shape = Shape.from_dict(json.loads((GOLDEN / "shapes.json").read_text())[name])
    draws = [Glam(shape, seed=seed, architecture=GLAM).state_dict() for seed in range(64)]
    theirs = part(golden("first-weights"), name)
    assert theirs.keys() == draws[0].keys()
    for key, (count, mean, variance, fourth) in theirs.items():
        values = torch.stack([draw[key] for draw in draws]).double()
        assert values.numel() == count
        ours_mean = values.mean()
        ours_variance, ours_fourth = ((values - ours_mean).pow(p).mean() for p in (2, 4))
        mean_error = ((variance + ours_variance) / count).sqrt()
        assert abs(ours_mean - mean) <= 3 * mean_error, key
        spread = fourth - variance**2 + ours_fourth - ours_variance**2
        variance_error = (spread.clamp(min=0) / count).sqrt()
        assert abs(ours_variance - variance) <= 3 * variance_error, key


def test_the_golden_values_name_their_versions_and_date():
    versions = json.loads((GOLDEN / "versions.json").read_text())
    assert versions["packages"]["praxis"] == "1.4.0"
    assert versions["written"] >= "2026-11-29"
