"""The verb `glam experts`: its tables, document and pictures, and what it says of bad input."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.tiny import DENSE_TOML, MIXTURE_TOML
from glam.checkpoints.checkpoint import Checkpoint
from glam.config import GlamConfig
from glam.data.tokenizer import train_tokenizer
from glam.model.decoder import Glam
from glam.specialization import picture
from glam.specialization.measure import Score
from glam.specialization.study import SAME_TOKEN, LayerStudy, Plan, Specialty
from tests.support import ROOT

TEXTS = {
    "code": (ROOT / "glam" / "training" / "trainer.py").read_text(),
    "prose": (ROOT / "docs" / "trainer.md").read_text(),
}
QUICK = ("--tokens", 320, "--off", 64, "--permutations", 19, "--routers", 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of untrained models, a mixture with two checkpoints and a dense one, and their text."""
    base = tmp_path_factory.mktemp("runs")
    for name, toml in {"mixture": MIXTURE_TOML, "dense": DENSE_TOML}.items():
        recipe = base / f"{name}.toml"
        recipe.write_text(toml)
        config = GlamConfig.of(recipe)
        for step in (3, 8):
            model = Glam.of(config.with_training(seed=step))
            optimizer = torch.optim.SGD(model.parameters())
            checkpoint = Checkpoint.capture(step, config, model, optimizer)
            checkpoint.write(base / name / "checkpoints")
        train_tokenizer(TEXTS.values(), 400).save(base / name / "tokenizer.model")
    for name, text in TEXTS.items():
        (base / f"{name}.txt").write_text(text)
    return base


def data(folder):
    return [word for name in TEXTS for word in ("--data", f"{name}={folder / name}.txt")]


def test_a_study_has_every_expert_of_every_layer_and_a_picture_of_each_layer(
    glam, folder, tmp_path
):
    run, pictures = folder / "mixture", tmp_path / "pictures"
    result = glam("experts", run, *data(folder), *QUICK, "--plot", pictures, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert (document["step"], document["tokens"]) == (8, 320)
    assert document["correction"] == "Holm over 4 experts"
    (layer,) = document["layers"]
    assert [expert["expert"] for expert in layer["experts"]] == [0, 1, 2, 3]
    assert sum(expert["load"] for expert in layer["experts"]) == pytest.approx(1)
    for expert in layer["experts"]:
        shares = expert["takes"]["domain"]["shares"]
        assert sum(shares.values()) == pytest.approx(1)
        assert expert["off"]["stderr"] > 0
    # The weights that the run began with, then both checkpoints; the last is settled.
    assert [row["step"] for row in document["growth"]] == [0, 3, 8]
    assert document["growth"][-1]["layers"][0]["settled"] == 1
    assert document["growth"][0]["layers"][0]["settled"] < 1
    assert {path.name for path in pictures.iterdir()} == {"layer-1.png", "growth.png"}


def layer_of(**p):
    """A layer of three experts, with the p of each label against random routers."""
    scores = {name: Score(0.2, 0.01, 0.001, 0.1, 0.01, value) for name, value in p.items()}
    same = scores.pop(SAME_TOKEN)
    takes = {
        name: Specialty(("a", "b"), np.ones((3, 2), int), score, np.ones(3), np.ones(3))
        for name, score in scores.items()
    }
    return LayerStudy(1, np.full(3, 1 / 3), takes, same, [["x"]] * 3, [])


def test_the_title_of_a_picture_is_what_the_experts_specialize_in_beyond_random_routers():
    layer = layer_of(domain=0.3, token_class=0.01, position=0.9, domain_of_same_token=0.04)
    experts = SimpleNamespace(plan=Plan(99, 99, 0, 1))
    assert picture.answer(experts, layer) == (
        "its experts specialize beyond routers with random weights in token class, "
        "domain of the same token"
    )
    nothing = layer_of(domain=0.3, token_class=0.3, position=0.9, domain_of_same_token=0.4)
    assert "in nothing beyond routers" in picture.answer(experts, nothing)
    # Without random routers, the permutations of labels are what it is compared with.
    alone = SimpleNamespace(plan=Plan(99, 0, 0, 1))
    assert "specialize beyond chance in domain, " in picture.answer(alone, nothing)


def test_a_darker_field_is_more_often_in_gray_as_well():
    red, green, blue, _ = picture.SHADES(np.linspace(0, 1, 21)).T
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    assert (np.diff(luminance) < 0).all()


def test_the_table_of_one_checkpoint_says_how_its_figures_were_made(glam, folder):
    file = folder / "mixture" / "checkpoints" / "step-00000003"
    result = glam("experts", file, *data(folder), *QUICK, "--off", 0)
    assert result.code == 0, result.err
    assert "at step 3: 320 validation tokens of 2 documents" in result.out
    assert "raise --permutations to 160" in result.out
    assert "How it grew" not in result.out
    assert "off:" not in result.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["dense"], "expected a mixture of experts; got dense, a dense model"),
        (["nothing"], "expected a checkpoint, or the folder of a run with checkpoints"),
        (["mixture", "dense"], "a dense model"),
        (["mixture", "--data", "code=code.txt"], "expected a corpus of two or more domains"),
        (["mixture", "--data", "code=code.txt", "--data", "prose=none.txt"], "none.txt"),
        (["mixture", "DATA", "--tokens", 999999], "validation tokens of each domain"),
    ],
)
def test_bad_input_is_refused_in_one_line_with_what_to_do(glam, folder, words, message):
    paths = {"dense", "mixture", "nothing"}
    arguments = [folder / word if word in paths else word for word in words]
    arguments = [
        word.replace("=", f"={folder}/") if isinstance(word, str) and ".txt" in word else word
        for word in arguments
    ]
    if "DATA" in words:
        place = words.index("DATA")
        arguments[place : place + 1] = data(folder)
    result = glam("experts", *arguments, *([] if "--tokens" in words else QUICK))
    assert result.code == 2
    assert message in result.err
    assert len(result.err.strip().splitlines()) == 1
