"""Experts that nobody forces to be balanced: a slowdown with a band, unless balance is named."""

import numpy as np
import pytest

from simulator.runs.setup import Setup
from simulator.scenarios.scenario import load


def setup(model="glam-8b-64e", **plan) -> Setup:
    chips = {"hardware.chip": "h100", "hardware.count": 256}
    return Setup.of(load(model, chips | {f"plan.{name}": value for name, value in plan.items()}))


def routing_notes(resolved: Setup) -> list[str]:
    return [note for note in resolved.notes if note.startswith("routing:")]


def test_a_mixture_without_a_word_on_balance_is_slower_with_a_wider_band_and_says_so():
    plain, forced = setup(), setup(imbalance=1.0)
    ratio = np.asarray(plain.constants.software) / forced.constants.software
    assert float(ratio) == pytest.approx(1.05)
    assert plain.hardware.time_relative[1] > forced.hardware.time_relative[1]
    assert routing_notes(plain)
    assert not routing_notes(forced)


def test_a_dense_model_has_no_routing():
    assert not routing_notes(setup("glam-8b"))


def test_the_band_reaches_the_unbalanced_twin_of_the_open_rows():
    # XTuner, 2025-09: 645 tokens/s a chip unbalanced, 924 balanced by force, of one layout.
    plain, forced = setup(), setup(imbalance=1.0)
    slowest = float(np.asarray(plain.constants.software)) * (1 + plain.hardware.time_relative[1])
    assert slowest / float(np.asarray(forced.constants.software)) > 924 / 645
