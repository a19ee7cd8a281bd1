"""Every option of every verb with odd values, after words that would run."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import typer

from tests.fuzz import energy_files, glam_files, simulator_files
from tests.fuzz.harness import command

PLAN = ("glam-8b-64e", "--chip", "h100", "--chips", "64", "--tokens", "1e11")
TRAIN = ("--model", "run.toml", "--data", "text.jsonl", "--out", "trained", "--device", "tpu")

WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "energy": {
        "run": ("--out", "new", "--", "/nowhere/command"),
        "record": ("run",),
        "verify": ("run",),
        "merge": ("run", "--out", "all"),
        "hourly": ("run",),
        "trace": ("run",),
        "report": (".",),
        "list": (".",),
        "lint": ("record.json",),
        "compare": ("record.json", "record.json"),
        "grid": ("FRA",),
        "schema": (),
        "doctor": ("--seconds", "0.1", "--meter", "cpu_model"),
        "watch": ("--seconds", "0.1"),
        "calibrate": ("wall.csv",),
        "import": ("wall.csv", "--from", "zeus", "--out", "new"),
    },
    "glam": {
        "train": TRAIN,
        "generate": (".", "--device", "tpu"),
        "eval": (".", "--device", "tpu"),
        "experts": (".", "--device", "tpu"),
        "items": (".", "--out", "new"),
        "finetune": (".", "--task", "copa", "--data", ".", "--out", "new", "--device", "tpu"),
        "compare": (".", "."),
        "sizes": (),
        "probe": ("--out", "new.json", "--device", "tpu"),
    },
    "simulator": {
        "init": ("new.toml",),
        "predict": ("glam-mini-16e",),
        "compare": ("glam-mini-16e", "glam-mini"),
        "sensitivity": ("glam-mini-16e",),
        "plan": PLAN,
        "sweep": PLAN,
        "pareto": PLAN,
        "feasible": (*PLAN, "--max-mw", "1"),
        "power": ("glam-8b-64e",),
        "inverse": ("glam-64b-64e", "--mwh", "456"),
        "crossover": (
            *("glam-mini-16e", "glam-mini", "--over", "run.batch_sequences"),
            *("--from", "1", "--to", "4", "--points", "2"),
        ),
        "failures": ("glam-64b-64e",),
        "when": ("grid.csv", "--days", "1", "--mw", "2"),
        "regions": ("fra",),
        "calibrate": ("probe.json", "--out", "machine.toml"),
        "validate": ("--throughput", "rows.csv"),
        "serve": ("llama3-70b", "--chips", "4"),
        "lifetime": ("glam-8b", "glam-8b", "--tokens-per-day", "100M"),
        "models": (),
        "chips": (),
        "prices": (),
    },
}
"""Words after a verb with which it runs in a moment; what takes longer is refused at its end."""

MORE_WORDS: dict[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("simulator", "plan"): (
        (*PLAN, "--set", "plan.tp=1", "--set", "plan.pp=1", "--launch", "torchrun"),
        (*PLAN, "--launch", "megatron"),
    ),
    ("simulator", "predict"): (("deepseek-v3", "--chip", "h200", "--chips", "2048"),),
    ("glam", "probe"): (("--out", "new.json", "--device", "tpu", "--processes", "2"),),
}
"""Other words of a verb, for options that say something only beside these."""

LONG = {"folds"}
"""Options that ask for minutes of work: `folds` fits every constant anew for each publisher."""

VALUES = (
    *("nan", "inf", "-inf", "-1", "0", "1e400", "1e300", "ten", "", " ", "1,5", "-0", "True"),
    *("run", "/proc/x", "nowhere/x.png", "a=b", "=", "a.b=1", "run.tokens=nan", "site.pue=0"),
    *("run.tokens=-1", "hardware.count=0", "x" * 300, "é", "$x_{1}$", "\x1b[31m", "2025-13-45"),
    "hardware.count=" + "[" * 3000,
)


@cache
def verbs(package: str) -> dict[str, Any]:
    module = importlib.import_module(f"{package}.cli")
    app = module.command() if hasattr(module, "command") else module.app
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def _options(package: str, verb: str) -> list[Any]:
    """The options of a verb; X of --x-y VALUE is a flag where it takes no value."""
    return [
        option
        for option in verbs(package)[verb].params
        if option.param_type_name == "option" and option.name not in {"help", *LONG}
    ]


def cases(inputs: int, seed: int) -> Iterator[tuple[str, str, Any]]:
    """Commands with an odd option, after any words of the verb.

    Args:
        inputs: how many.
        seed: of the campaign.
    """
    every = [(package, verb) for package in WORDS for verb in verbs(package)]
    for number in range(inputs):
        random = Random(f"{seed}-options-{number}")
        package, verb = every[number % len(every)]
        odd: list[str] = []
        for option in random.sample(_options(package, verb), min(1, len(_options(package, verb)))):
            odd.append(option.opts[0])
            if not getattr(option, "is_flag", False):
                odd.append(random.choice(VALUES))
        words = random.choice([WORDS[package][verb], *MORE_WORDS.get((package, verb), ())])
        place = words.index("--") if "--" in words else len(words)
        words = (*words[:place], *odd, *words[place:])
        yield f"{package} {verb}", " ".join(words), partial(_run, package, verb, words)


def _run(package: str, verb: str, words: tuple[str, ...]) -> None:
    """Run a command beside valid files of every kind."""
    here, random = Path(), Random(1)
    for make in (energy_files.ledger, energy_files.record, energy_files.wall_table):
        make(here, random)
    for make in (simulator_files.probe, simulator_files.series, simulator_files.throughput):
        make(here, random)
    glam_files.configuration(here, random)
    glam_files.json_lines(here, random)
    command(package, verb, *words)()
