"""A training that compiles nothing does not load torch's compiler."""

import subprocess
import sys

import pytest
import torch

from glam.uncompiled import AdamW, TorchAdafactor, Uncompiled
from tests.support import ROOT

CODE = """
import sys
from pathlib import Path
from glam.training.run import train
from tests.support.small_models import small_run
config = small_run(steps=2, checkpoint_every=1).with_training(**{})
train(config, Path(sys.argv[1]), peak_flop_per_s=1e12)
print("torch._dynamo" in sys.modules)
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "recipe",
    [{}, {"adafactor_form": "torch"}, {"optimizer": "adamw"}],
    ids=["adafactor", "torch's adafactor", "adamw"],
)
def test_a_training_with_its_checkpoints_loads_no_compiler(recipe, tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", CODE.format(recipe), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.stdout.splitlines()[-1] == "False", run.stderr


@pytest.mark.parametrize("kind", [AdamW, TorchAdafactor])
def test_the_methods_do_what_those_of_torch_do(kind):
    weights = [torch.nn.Parameter(torch.randn(3, 4)) for _ in range(2)]
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    ours, theirs = kind(weights, lr=0.1), kind.__mro__[2](weights, lr=0.1)
    assert issubclass(kind, Uncompiled)
    ours.step()
    theirs.load_state_dict(ours.state_dict())
    assert str(theirs.state_dict()) == str(ours.state_dict())
    ours.zero_grad()
    assert all(weight.grad is None for weight in weights)
    ours.add_param_group({"params": [torch.nn.Parameter(torch.ones(1))], "lr": 0.2})
    assert [group["lr"] for group in ours.param_groups] == [0.1, 0.2]
