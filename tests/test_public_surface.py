"""What each package promises at its top: the names of `__all__`, loaded lazily, and no others."""

import ast
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
import tomllib
import types

import pytest

import energy.errors
from scripts.architecture.rules import HEAVY
from tests.support import ROOT

PACKAGES = ("energy", "glam", "simulator")
LOADED = ("energy", pytest.param("glam", marks=pytest.mark.torch), "simulator")
PROMISED = {
    "energy": "Boundary Origin Quantity RunRecord Shape Site Tracker at_site chip executed_flop "
    "load_ipython_extension merge mfu model model_flop site track",
    "glam": "Glam GlamConfig TokenCorpus evaluate generate generate_all load_checkpoint "
    "load_corpus probe train",
    "simulator": "Hardware Plan Prediction Scenario calibrate capped compare crossover failures "
    "feasible largest_model lifetime load_scenario most_tokens pareto plan power "
    "predict presets regions sensitivity serve sweep validate when",
}
ERRORS = [
    name
    for name, value in vars(energy.errors).items()
    if inspect.isclass(value) and issubclass(value, energy.errors.AccountingError)
]

# What is public without standing in `__all__`: callbacks are imported by their module, because
# each needs a library of its own.
PUBLIC_MODULES = {"energy": ["callbacks"], "glam": [], "simulator": []}


def python(code):
    """The JSON that Python prints when it runs this code in a process of its own."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_exported_names_are_those_that_are_promised(package):
    module = importlib.import_module(package)
    assert module.__all__ == sorted([*PROMISED[package].split(), *ERRORS, "__version__"])


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_defines_no_public_name_that_is_not_exported(package):
    code = f"import json, {package}; print(json.dumps([list(vars({package})), dir({package})]))"
    defined, listed = python(code)
    assert [name for name in defined if not name.startswith("_")] == []
    assert listed == importlib.import_module(package).__all__


@pytest.mark.parametrize("package", LOADED)
def test_once_all_is_loaded_only_exports_and_modules_are_public(package):
    module = importlib.import_module(package)
    exported = {name: getattr(module, name) for name in module.__all__}
    assert not any(isinstance(value, types.ModuleType) for value in exported.values())
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    extra = {name for name in public if name not in exported}
    assert {name for name in extra if not isinstance(public[name], types.ModuleType)} == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_at_the_top_of_a_package_bears_an_exported_name(package):
    module = importlib.import_module(package)
    modules = {info.name for info in pkgutil.iter_modules(module.__path__)}
    assert modules & set(module.__all__) == set()
    assert set(PUBLIC_MODULES[package]) <= modules


@pytest.mark.parametrize("package", LOADED)
def test_a_type_checker_sees_the_same_names_from_the_same_modules(package):
    tree = ast.parse((ROOT / package / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If) and node.orelse)
    module = importlib.import_module(package)
    seen = {"__version__"}
    for node in block.body:
        if isinstance(node, ast.ImportFrom):
            (alias,) = node.names
            name = (alias.asname or alias.name).removeprefix("_")
            seen.add(name)
            original = getattr(importlib.import_module(node.module), alias.name)
            exported = getattr(module, name)
            assert getattr(exported, "__wrapped__", exported) is original, name
    assert sorted(seen) == module.__all__


@pytest.mark.parametrize("package", LOADED)
def test_every_export_has_a_docstring(package):
    module = importlib.import_module(package)
    silent = [name for name in module.__all__ if not inspect.getdoc(getattr(module, name))]
    assert silent == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_version_is_that_of_the_project(package):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert importlib.import_module(package).__version__ == project["version"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_exported_is_an_attribute_error(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.__getattr__("nothing")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_tells_type_checkers_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


QUESTIONS = [name for name in PROMISED["simulator"].split() if name.islower()]


@pytest.mark.parametrize(
    ("package", "names", "libraries"),
    [
        ("energy", ["Tracker"], HEAVY),
        ("glam", ["GlamConfig"], ["torch", "matplotlib", "transformers"]),
        ("simulator", QUESTIONS, HEAVY),
    ],
)
def test_an_import_loads_no_library_that_is_not_needed_yet(package, names, libraries):
    loaded = python(
        f"import json, sys\nfrom {package} import {', '.join(names)}\n"
        f"print(json.dumps(sorted(set({libraries}) & set(sys.modules))))"
    )
    assert loaded == []


def test_predict_is_a_function_also_after_the_module_of_its_verb_was_imported():
    kind = python(
        "import inspect, json\nimport simulator.questions.predict.command\n"
        "import simulator.runs.predict\n"
        "from simulator import predict\nimport simulator\n"
        "print(json.dumps([inspect.isfunction(predict), simulator.predict is predict]))"
    )
    assert kind == [True, True]
