"""Signals at random moments: a seeded part of `python -m benchmarks.commands.signals`."""

import json

import pytest
from typer.main import get_command

from benchmarks.commands import signals
from energy.cli import command as energy
from glam.cli import command as glam

NEED_A_RUN = {"generate", "evaluate", "import", "export"}
"""Verbs of the trainer that need a trained model."""


def test_every_verb_of_energy_and_most_of_glam_are_tried():
    tried = {tuple(line.split()[:2]) for line in signals.VERBS}
    assert {("energy", name) for name in get_command(energy()).commands} <= tried
    ours = set(get_command(glam()).commands) - NEED_A_RUN
    assert {("glam", name) for name in ours} & tried >= {("glam", "train"), ("glam", "probe")}


def test_the_trials_of_a_seed_are_the_same_and_half_are_early():
    chosen = list(signals.trials(90, 1))
    assert chosen == list(signals.trials(90, 1))
    assert sum(trial.after_s <= signals.EARLY_S for trial in chosen) >= 45
    assert {trial.line for trial in chosen} == set(signals.VERBS)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.torch
def test_signals_leave_no_traceback_and_no_half_file():
    results = list(signals.outcomes(signals.trials(9, 16)))
    assert [result for result in results if result.wrong] == []


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("record.json", "{", "half a document"),
        ("a.svg", "<svg>", "half a picture"),
        ("a.html", "<html>", "half a page"),
        (".record.json.12-34", "{}", "temporary"),
    ],
)
def test_a_file_that_is_not_whole_is_seen(tmp_path, name, content, word):
    (tmp_path / "good.json").write_text(json.dumps({}))
    assert signals.half_written(tmp_path) == ""
    (tmp_path / name).write_text(content)
    assert word in signals.half_written(tmp_path)
