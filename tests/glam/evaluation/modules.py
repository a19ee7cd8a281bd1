"""A corpus of small modules of Python, and the run of an untrained model on it."""

from dataclasses import replace
from random import Random

import torch

from benchmarks.tiny import MIXTURE_TOML
from glam.checkpoints.checkpoint import Checkpoint
from glam.config import GlamConfig
from glam.data.corpus import load_corpus
from glam.model.decoder import Glam

WORDS = ["table", "string", "number", "value", "order", "result", "length", "record", "stream"]


def module(number):
    """A module of functions whose docstrings and lines stand nowhere else."""
    draw = Random(number)

    def some(count):
        return [f"{draw.choice(WORDS)}{number}" for _ in range(count)]

    endings = draw.sample(WORDS, 6)
    parts = []
    for place in range(6):
        first, *names = some(8)
        parts.append(
            f"def {first}_{place}({names[0]}, {names[1]}=1):\n"
            f'    """Return {names[2]} of {names[3]} before {place}.\n\n'
            f"    Here {names[4]} of each {names[5]} is the {names[6]} of its {endings[place]}.\n"
            f'    """\n'
            f"    {names[0]} = {names[1]} + {names[2]}({place})\n"
            f"    return {names[3]}({names[0]}, {names[4]})\n"
        )
    return "\n\n".join(parts)


def untrained_run(folder):
    """Make the run of an untrained model in a folder, with its text in text/, and return it."""
    text = folder / "text"
    text.mkdir()
    for number in range(120):
        (text / f"m{number}.py").write_text(module(number))
    recipe = folder / "run.toml"
    recipe.write_text(MIXTURE_TOML)
    config = GlamConfig.of(recipe).with_corpus_paths([str(text)])
    config = replace(config, corpus=replace(config.corpus, validation_fraction=0.3))
    corpus = load_corpus(config.corpus, 400, folder / "cache")
    corpus.tokenizer.save(folder / "tokenizer.model")
    model = Glam.of(config)
    optimizer = torch.optim.SGD(model.parameters())
    Checkpoint.capture(3, config, model, optimizer).write(folder / "checkpoints")
    return folder
