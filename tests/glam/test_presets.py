"""Every size stands as a model, every router trains, and a checkpoint gives text."""

import json
import sys

import pytest
import torch

from energy.facts import catalog
from energy.record import RunRecord
from energy.shape import parameters, total
from glam.config import GlamConfig
from glam.family import builds
from glam.model.decoder import Glam
from tests.support.small_models import DENSE_TOML

SIZES = [row.name for row in catalog.models() if builds(row.shape)]
MIXTURE = f"{DENSE_TOML}n_moe_layers = 1\nn_experts = 4\ntop_k = 2\nd_expert = 16\n"
REST = """
[training]
steps = 20
batch_sequences = 2
log_every = 5
evaluate_batches = 1
threads = 1
tensorboard = true
[corpus]
max_mb = 0.2
"""


@pytest.mark.parametrize("name", SIZES)
def test_every_size_is_built_with_exactly_the_parameters_that_are_counted(name):
    shape = GlamConfig.of(name).shape
    with torch.device("meta"):
        model = Glam(shape)
    assert sum(p.numel() for p in model.parameters()) == total(parameters(shape))


def command(monkeypatch, *arguments):
    from glam.cli import main

    monkeypatch.setattr(sys, "argv", ["glam", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code or 0


@pytest.mark.parametrize(
    ("router", "model"),
    [("dropless", MIXTURE), ("gshard", MIXTURE), ("switch", MIXTURE), (None, DENSE_TOML)],
)
def test_every_router_trains_and_its_checkpoint_gives_text(
    monkeypatch, capsys, tmp_path, router, model
):
    (tmp_path / "run.toml").write_text(model + REST)
    out = tmp_path / "run"
    chosen = ["--router", router] if router else []
    assert (
        command(
            monkeypatch,
            "train",
            "--model",
            tmp_path / "run.toml",
            "--out",
            out,
            "--device",
            "cpu",
            *chosen,
        )
        == 0
    )
    record = RunRecord.load(out / "record.json")
    assert record.metrics["steps"].value == 20
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["loss"] < rows[0]["loss"]
    if router:
        assert record.shape["top_k"] == (1 if router == "switch" else 2)
    capsys.readouterr()
    assert command(monkeypatch, "generate", out, "--prompt", "def ", "--tokens", 8) == 0
    said = capsys.readouterr().out
    assert said.startswith("def ")
    assert len(said) > len("def \n")

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "events"))
    events.Reload()
    told = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in told] == [row["step"] for row in rows]
    assert told[-1][1] == pytest.approx(rows[-1]["loss"], rel=1e-6)


def test_an_unknown_router_is_told_with_those_that_are_known(monkeypatch, capsys, tmp_path):
    code = command(
        monkeypatch,
        "train",
        "--model",
        "glam-mini-16e",
        "--out",
        tmp_path / "run",
        "--router",
        "random",
    )
    assert code == 2
    assert "one of dropless, gshard, switch" in capsys.readouterr().err
