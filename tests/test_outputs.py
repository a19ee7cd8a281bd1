"""A path that cannot be written is refused before the work whose result it is for."""

import pytest

from tests.fuzz.harness import command, outcome

NOWHERE = "/proc/nowhere"

WRITING = [
    ("energy", "run", "--out", NOWHERE, "--", "touch", "worked"),
    ("energy", "report", "absent", "--html", f"{NOWHERE}.html"),
    ("energy", "calibrate", "absent.csv", "--out", f"{NOWHERE}.json"),
    ("energy", "merge", "absent", "--out", NOWHERE),
    ("simulator", "predict", "absent.toml", "--out", NOWHERE),
    ("simulator", "predict", "absent.toml", "--plot", f"{NOWHERE}.png"),
    ("simulator", "plan", "absent.toml", "--save", f"{NOWHERE}.toml"),
    ("simulator", "calibrate", "absent.json", "--out", f"{NOWHERE}.toml"),
]


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(words[:2] + words[3:4]))
def test_an_output_is_checked_before_the_inputs_are_read(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    end = outcome(command(*words))
    assert end.kind == "refused"
    assert f"expected to write {NOWHERE}" in end.words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pue", ["-1", "0", "0.5", "nan", "inf", "1e400"])
def test_a_pue_below_one_is_refused_before_the_command_starts(pue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    end = outcome(command("energy", "run", "--pue", pue, "--out", "run", "--", "touch", "worked"))
    assert end.kind == "refused"
    assert "expected pue of 1 or more" in end.words
    assert list(tmp_path.iterdir()) == []


DRAWING = [
    ("energy", "report", "absent", "--html", "page.html"),
    ("energy", "hourly", "absent", "--location-series", "absent.csv", "--plot", "hours.png"),
    ("simulator", "plan", "absent.toml", "--plot", "plan.png"),
    ("simulator", "power", "absent.toml", "--plot", "power.html"),
]


@pytest.mark.parametrize("words", DRAWING, ids=lambda words: " ".join(words[:2]))
def test_a_picture_without_matplotlib_is_refused_before_the_inputs_are_read(
    words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    end = outcome(command(*words))
    assert "expected the package matplotlib; got not installed" in end.words
    assert end.words.endswith("pip install 'glam-energy[plots]'")
    assert list(tmp_path.iterdir()) == []
