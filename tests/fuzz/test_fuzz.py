"""What users, disks and other programs make of a file is read, or refused with a message."""

import sys

import pytest

from tests.fuzz import campaign, options
from tests.fuzz.campaign import COLUMNS, Result
from tests.fuzz.readers import READERS


def why(result: Result) -> str:
    return "\n".join(map(str, result.findings))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_mutated_file_is_read_or_refused_with_a_message(reader):
    """3,000 in all; `python -m tests.fuzz --inputs 10000` runs more."""
    share = 3000 * reader.weight // sum(reader.weight for reader in READERS)
    result = campaign.mutated_files([reader], share, seed=0)
    assert result.inputs >= share
    assert not result.findings, why(result)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_valid_file_is_read(reader):
    result = campaign.valid_files([reader], 3, seed=0)
    assert not result.findings, why(result)


def test_an_odd_value_of_an_option_is_taken_or_refused_with_a_message():
    result = campaign.commands(options.cases(160, seed=0))
    assert not result.findings, why(result)


def test_the_fuzzer_knows_every_verb():
    for package, words in options.WORDS.items():
        assert set(options.verbs(package)) <= set(words), package


def test_an_input_that_ends_badly_is_named_as_such():
    """Each column of the table has an example."""
    from energy.errors import InputError
    from tests.fuzz.harness import outcome

    def refused():
        raise InputError("expected a number", "ten", "write 10")

    def broken():
        raise KeyError("m")

    def silent():
        raise SystemExit(2)

    def warned():
        import warnings

        warnings.warn("overflow", RuntimeWarning, stacklevel=1)

    examples = {
        "read": lambda: {"unit": "J", "value": 1.0},
        "refused": refused,
        "traceback": broken,
        "exit 1": lambda: sys.exit(1),
        "negative": lambda: [{"unit": "s", "value": -1.0}],
        "silent": silent,
        "warned": warned,
    }
    for kind, action in examples.items():
        assert outcome(action).kind == kind
    assert set(examples) | {"hang"} == set(COLUMNS)
