"""The worked numbers of formulas, run as doctests: what a docstring says, the function computes."""

import ast
import doctest
from importlib import import_module

import pytest

from scripts.architecture.imports import modules

WITH_EXAMPLES = sorted(
    name
    for name, path in modules().items()
    if not name.startswith("simulator.questions") and ">>> " in path.read_text()
)

WORKED = {
    "energy.arithmetic": "add multiply per_token",
    "energy.flops": "dispatch_flop executed_flop forward_flop mfu model_flop",
    "energy.footprint.account": "account raised",
    "energy.footprint.apply": "embodied_g",
    "energy.shape": "active_parameters dense_twin parameters",
    "simulator.physics.collectives": "group",
    "simulator.physics.failures": "daly_s erlang_loss fewest_spares young_s",
    "simulator.physics.operations": "product",
    "simulator.physics.pipeline": "bubble_s crossings in_flight layers_by_stage",
    "simulator.physics.power": "activity_shares watts_of",
    "simulator.physics.traffic": "residuals slots",
    "simulator.quality.critical_batch": "critical_tokens times_the_tokens",
}
"""Formulas that people cite, by module: each has a worked number that runs."""


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_what_it_computes(name):
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", WORKED)
def test_each_formula_that_people_cite_has_a_worked_number_that_runs(name):
    tree = ast.parse(modules()[name].read_text())
    worked = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and ">>> " in (ast.get_docstring(node) or "")
    }
    assert set(WORKED[name].split()) <= worked
