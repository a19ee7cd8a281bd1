"""The study of a mixture's experts: planted specialists, random routers, and what each is worth."""

import numpy as np
import pytest
import torch

from benchmarks.tiny import MIXTURE_TOML
from glam.config import Dispatch, GlamConfig
from glam.model.decoder import Glam
from glam.specialization import switch_off
from glam.specialization.observe import losses_of, mixtures
from glam.specialization.study import SAME_TOKEN, Plan, study
from glam.specialization.windows import Windows

HALF = 200
"""Tokens below it are of the first domain."""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    recipe = tmp_path_factory.mktemp("recipe") / "run.toml"
    recipe.write_text(MIXTURE_TOML)
    return GlamConfig.of(recipe)


@pytest.fixture(scope="module")
def windows(config):
    """Two domains with tokens of their own, but for token 0, which is in both."""
    generator, length = np.random.default_rng(0), int(config.shape.seq_len)
    vocab = int(config.shape.vocab_size)
    domain = np.arange(16) % 2
    tokens = generator.integers(1, HALF, size=(16, length + 1)) + domain[:, None] * (vocab - HALF)
    tokens[:, ::3] = 0
    classes = generator.integers(0, 2, size=(16, length))
    return Windows(tokens, ("code", "prose"), domain, np.arange(16) // 2 * 2 + domain, classes)


def planted(config, *, by_domain):
    """A model whose first router has a preference for half of its experts by domain, or none."""
    model = Glam.of(config, Dispatch()).eval()
    first = next(iter(mixtures(model).values()))
    if by_domain:
        logits = first.router.logits
        vocab = int(config.shape.vocab_size)

        def by_token(x):
            values = logits(x)
            half = values.shape[1] // 2
            own = by_token.tokens >= vocab - HALF
            values[:, :half] -= 100 * own.unsqueeze(1)
            values[:, half:] -= 100 * (~own).unsqueeze(1)
            return values

        hidden = model.hidden_states

        def remembered(tokens, *rest):
            by_token.tokens = tokens.reshape(-1)
            return hidden(tokens, *rest)

        first.router.logits, model.hidden_states = by_token, remembered
    return model


def test_planted_specialists_of_a_domain_are_told_from_routers_with_random_weights(config, windows):
    pieces = [f"t{token}" for token in range(int(config.shape.vocab_size))]
    plan = Plan(permutations=199, routers=9, off_windows=0, seed=0)
    result = study(planted(config, by_domain=True), 7, windows, pieces, plan, lambda *_: None)
    first = result.layers[0]
    domain = first.specialties["domain"]
    assert domain.score.p == 1 / 200
    assert domain.score.random_p == 1 / 10
    assert domain.score.value > 2 * domain.score.random
    # The shared token always goes to the first half, so that it tells nothing of the domain.
    assert first.same_token.p > 0.05
    assert first.same_token.value < 0.02
    # Half of the experts take tokens of the second domain alone, and their marks are such tokens.
    second = np.flatnonzero((domain.shares[:, 1] > 0.99) & (first.load > 0))
    assert len(second)
    vocab = int(config.shape.vocab_size)
    for expert in second:
        assert all(int(token[1:]) >= vocab - HALF for token in first.tokens[expert])
    assert first.load.sum() == pytest.approx(1)
    assert set(first.scores) == {"domain", "token_class", "position", SAME_TOKEN}


def test_classes_drawn_at_random_are_told_by_no_expert(config, windows):
    plan = Plan(permutations=199, routers=0, off_windows=0, seed=1)
    result = study(
        planted(config, by_domain=False), 0, windows, ["x"] * 4096, plan, lambda *_: None
    )
    for layer in result.layers:
        assert layer.specialties["token_class"].score.p > 0.02
        assert (layer.specialties["token_class"].p > 0.05).all()
        assert np.isnan(layer.specialties["token_class"].score.random)


def test_switching_off_an_expert_costs_what_a_model_without_it_loses(config, windows):
    model = planted(config, by_domain=False)
    few = windows.first(4)
    whole = losses_of(model, few)
    rows = switch_off.costs(model, few, whole, lambda *_: None)
    router = next(iter(mixtures(model).values())).router
    with torch.no_grad():
        # Far below the others whatever the token: a router without that row.
        x = model.hidden_states(torch.from_numpy(few.tokens[:, :-1]))[1][0]
        with switch_off.without(router, 1):
            chosen = model.hidden_states(torch.from_numpy(few.tokens[:, :-1]))[1][0].experts
            off = losses_of(model, few)
    assert (x.experts == 1).any()
    assert not (chosen == 1).any()
    assert rows[0][1].nats == pytest.approx(float((off - whole).mean()))
    assert rows[0][1].nats != 0
    assert losses_of(model, few) == pytest.approx(whole)  # it is on again


def test_the_standard_error_of_the_worked_example_is_that_of_its_documents():
    differences = np.array([1.0, 1.0, 3.0, 3.0])
    assert switch_off.stderr(differences, np.array([0, 0, 1, 1])) == pytest.approx(1)
    assert switch_off.stderr(differences, np.arange(4)) == pytest.approx(0.5774, abs=1e-4)
    assert np.isnan(switch_off.stderr(differences, np.zeros(4, int)))
