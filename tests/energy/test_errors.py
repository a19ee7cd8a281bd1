"""Errors: one message with what was expected, what came and what to do; they survive a copy."""

import copy
import json
import pickle
import re
import tomllib

import pytest

from energy.errors import (
    EXTRAS,
    CommandError,
    InputError,
    MissingDataError,
    nearest,
    reason,
    require_choice,
)
from energy.guard import guard
from tests.support import ROOT


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copied_error_is_the_same_error(again):
    error = again(CommandError("expected a program", "no", "check PATH", exit_code=127))
    assert isinstance(error, CommandError)
    assert str(error) == "expected a program; got no; check PATH"
    assert (error.expectation, error.value, error.fix) == ("expected a program", "no", "check PATH")
    assert error.exit_code == 127
    assert str(again(MissingDataError("expected a price"))) == "expected a price"


def _reason(call):
    try:
        call()
    except (OSError, ValueError, KeyError) as error:
        return reason(error)
    return None


def test_the_reason_of_a_file_error_is_a_phrase_that_follows_got(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xa9\xff")
    reasons = {
        "no such file or directory": lambda: (tmp_path / "none").read_text(),
        "a folder": tmp_path.read_text,
        "a file that is not UTF-8 text": lambda: (tmp_path / "bytes").read_text(encoding="utf-8"),
        "an empty file": lambda: json.loads(""),
        "no key world": lambda: {}["world"],
    }
    for phrase, call in reasons.items():
        assert _reason(call) == phrase
    assert _reason(lambda: json.loads('{"a": 1')).startswith("text that is not JSON: expecting")
    assert _reason(lambda: tomllib.loads("a b")).startswith("text that is not TOML: expected")


def test_an_unknown_name_is_answered_with_similar_ones_or_with_all():
    assert nearest("h10", ["h100", "tpu-v4"]) == "did you mean h100?"
    assert nearest("zzz", ["h100", "tpu-v4"]) == "one of: h100, tpu-v4"
    assert isinstance(InputError("expected a name"), Exception)


def test_a_word_that_is_no_choice_is_answered_with_all_of_them():
    require_choice("--by", "time", ("time", "energy"))
    with pytest.raises(InputError, match=r"^expected --by time, energy or co2; got speed$"):
        require_choice("--by", "speed", ("time", "energy", "co2"))


@pytest.mark.parametrize("package", sorted(EXTRAS))
def test_a_package_that_is_not_installed_is_named_with_the_extra_that_brings_it(package, capsys):
    def load():
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    with pytest.raises(SystemExit) as ending:
        guard(load)
    assert ending.value.code == 4
    name, extra = package.replace("_", "-"), EXTRAS[package]
    assert capsys.readouterr().err == (
        f"error: expected the package {name}; got not installed; "
        f"pip install 'glam-energy[{extra}]'\n"
    )
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    brought = [re.split(r"[<>=;\[ ]", line)[0] for line in extras["optional-dependencies"][extra]]
    assert name in (brought if name != "lm-eval" else [*brought, "lm_eval"])


def test_a_module_of_our_own_that_is_absent_stays_a_bug():
    def load():
        raise ModuleNotFoundError("No module named 'energy.nothing'", name="energy.nothing")

    with pytest.raises(ModuleNotFoundError):
        guard(load)
