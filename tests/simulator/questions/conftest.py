"""Answers that the tests of several files read."""

import pytest

from simulator.questions.plan.answer import best_plans
from simulator.questions.plan.question import question


@pytest.fixture(scope="session")
def mixtral():
    """The plans of Mixtral 8x7B for 64 H100."""
    return best_plans(question("mixtral-8x7b", chip="h100", chips=64, tokens=1e12, batch=512))
