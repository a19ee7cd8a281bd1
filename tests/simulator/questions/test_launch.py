"""What `simulator plan --launch` prints has options that the trainers' own parsers know."""

import re
import shlex
import subprocess

import pytest

from energy.errors import InputError
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism
from simulator import plan
from simulator.questions.plan.launch.megatron import layout
from simulator.questions.plan.launch.tools import TOOLS
from tests.support import GOLDEN
from tests.test_docs import what_is_wrong

WHOLE = {f"plan.{degree}": 1 for degree in ("tp", "pp", "cp", "etp")} | {"plan.recompute": "none"}
PLANS = [
    {},
    {"plan.zero": 0, "plan.recompute": "full"},
    {"plan.zero": 3, "plan.pp": 1, "plan.recompute": "selective"},
    {"plan.zero": 1, "plan.tp": 4, "plan.pp": 4, "plan.vp": 1, "plan.recompute": "full"},
    {"plan.zero": 2, "plan.cp": 2, "plan.pp": 1, "plan.recompute": "full"},
]


def known():
    """The options of each trainer's parser, by its version."""
    text = (GOLDEN / "launch_options.txt").read_text()
    return {
        version: set(lines.split())
        for version, lines in re.findall(r"^\[([^\]\n]+)\]\n(.*?)(?:\n\n|\Z)", text, re.M | re.S)
    }


def planned(model, chips, changes, **more):
    return plan(model, chip="h100", chips=chips, tokens=1e11, top=0, overrides=changes, **more)


def of(launch, tool, words):
    """The words of a script after those that start the trainer."""
    script = shlex.split(launch.text.split("set -euo pipefail")[1].replace("\\\n", " "))
    return script[script.index(words) + 1 :]


@pytest.mark.parametrize("changes", PLANS, ids=str)
@pytest.mark.parametrize(("model", "chips"), [("mixtral-8x7b", 64), ("llama3-70b", 128)])
def test_every_option_of_a_launch_is_one_of_the_trainer_and_the_text_is_valid_bash(
    model, chips, changes
):
    answer = planned(model, chips, changes)
    for tool in ("megatron", "slurm", "torchtitan"):
        if tool == "torchtitan" and model != "llama3-70b":
            continue
        launch = answer.launch(tool)
        assert launch.options.keys() <= known()[launch.trainer]
        subprocess.run(["bash", "-n"], input=launch.text, text=True, check=True)
        words = shlex.split(launch.text.replace("\\\n", " "), comments=True)
        assert launch.options.keys() <= set(words)
    best, options = answer.best.plan, answer.launch("megatron").options
    sizes = [options[f"--{kind}-parallel-size"] for kind in ("tensor-model", "pipeline-model")]
    assert sizes == [best.tp, best.pp]
    assert options["--context-parallel-size"] == best.cp
    assert options["--global-batch-size"] % (best.dp * options["--micro-batch-size"]) == 0
    steps = options["--train-iters"] * options["--global-batch-size"] * options["--seq-length"]
    assert 1e11 <= steps < 1e11 + options["--global-batch-size"] * options["--seq-length"]


def test_our_own_trainer_takes_what_is_printed_for_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    launch = planned("glam-1.7b-64e", 8, WHOLE).launch("torchrun")
    assert what_is_wrong(["glam", *of(launch, "torchrun", "glam")]) is None
    file, _ = launch.text.split("\ntorchrun ")
    subprocess.run(["bash", "-c", file], check=True)
    options = launch.options
    config = GlamConfig.of(options["--model"])
    assert config.training.batch_sequences == options["--batch"]
    Parallelism(expert=options.get("--expert-parallel", 1), data=options.get("--data-parallel", 0))


@pytest.mark.parametrize(
    ("tool", "model", "changes", "expected"),
    [
        ("torchrun", "glam-8b-64e", {"plan.pp": 4}, "search without it: --set plan.pp=1"),
        ("torchrun", "llama3-8b", WHOLE, "expected a GLaM or a GPT"),
        ("torchtitan", "mixtral-8x7b", {}, "expected a model that torchtitan has"),
    ],
)
def test_what_a_trainer_cannot_run_is_refused_with_what_makes_it_possible(
    tool, model, changes, expected
):
    answer = planned(model, 64, changes)
    with pytest.raises(InputError, match=re.escape(expected)):
        answer.launch(tool)


def test_a_wrong_tool_or_a_second_output_is_refused_before_the_search(simulator):
    code, out, err = simulator("plan", "glam-64b-64e", "--launch", "ray")
    assert (code, out) == (2, "")
    assert f"expected --launch {', '.join(TOOLS[:-1])} or slurm; got ray" in err
    code, out, err = simulator("plan", "glam-64b-64e", "--launch", "slurm", "--explain")
    assert (code, out) == (2, "")
    code, out, err = simulator("plan", "glam-64b-64e", "--launch", "slurm")
    assert (code, out) == (2, "")
    assert "expected GPUs" in err


def test_stages_of_unequal_length_are_laid_out_one_by_one():
    """The form is that of Megatron's own examples: E embedding, t layer, L output and loss."""
    assert layout(5, 3) == "Et*2|t*2|tL"
    assert layout(61, 32).count("t*2") == 29
    assert len(layout(61, 32).split("|")) == 32
