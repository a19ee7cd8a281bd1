"""Every size can be built, every router trains, and a checkpoint generates text."""

import pytest
import torch

from energy.facts import catalog
from energy.record import RunRecord
from energy.shape import parameters, total
from glam.config import GlamConfig
from glam.family import builds
from glam.model.decoder import Glam
from tests.support.small_models import DENSE_TOML, MIXTURE_TOML, metrics_rows

SIZES = [row.name for row in catalog.models() if builds(row.shape)]
RECIPE_TOML = """
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
def test_every_size_has_exactly_the_parameters_that_are_counted(name):
    shape = GlamConfig.of(name).shape
    with torch.device("meta"):
        model = Glam(shape)
    assert sum(p.numel() for p in model.parameters()) == total(parameters(shape))


def test_former_names_of_settings_are_still_read(tmp_path):
    (tmp_path / "former.toml").write_text(
        f"{DENSE_TOML}[training]\naccumulate = 2\n[corpus]\nheld_out = 0.3\n"
    )
    config = GlamConfig.of(str(tmp_path / "former.toml"))
    assert config.training.gradient_accumulation == 2
    assert config.corpus.validation_fraction == 0.3
    assert GlamConfig.from_dict(config.as_dict()) == config


def test_the_version_is_printed(glam):
    result = glam("--version")
    assert result.code == 0
    assert result.out.count(".") == 2


@pytest.mark.parametrize(
    ("router", "model"),
    [
        ("dropless", MIXTURE_TOML),
        ("gshard", MIXTURE_TOML),
        ("switch", MIXTURE_TOML),
        (None, DENSE_TOML),
    ],
)
def test_every_router_trains_and_its_checkpoint_generates_text(glam, tmp_path, router, model):
    (tmp_path / "run.toml").write_text(model + RECIPE_TOML)
    out = tmp_path / "run"
    options = ["--router", router] if router else []
    train = glam("train", "--model", "run.toml", "--out", out, "--device", "cpu", *options)
    assert train.code == 0, train.err
    assert "warning: max_mb 0.2 leaves text out" in train.err
    record = RunRecord.load(out / "record.json")
    assert record.metrics["steps"].value == 20
    rows = metrics_rows(out)
    assert rows[-1]["loss"] < rows[0]["loss"]
    if router:
        assert record.shape["top_k"] == (1 if router == "switch" else 2)
    text = glam("generate", out, "--prompt", "def ", "--tokens", 8).out
    assert text.startswith("def ")
    assert len(text) > len("def \n")
    scalars = tensorboard_scalars(out, "loss")
    assert [step for step, _ in scalars] == [row["step"] for row in rows]
    assert scalars[-1][1] == pytest.approx(rows[-1]["loss"], rel=1e-6)


def tensorboard_scalars(out, tag):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "events"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_an_unknown_router_is_an_error_that_lists_the_known_ones(glam):
    result = glam("train", "--model", "glam-mini-16e", "--out", "run", "--router", "random")
    assert result.code == 2
    assert "one of dropless, glam, gshard, switch" in result.err
