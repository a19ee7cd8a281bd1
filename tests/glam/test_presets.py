"""Every size can be built, every router trains, and a checkpoint generates text."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from benchmarks.tiny import DENSE_TOML, MIXTURE_TOML
from energy.errors import InputError
from energy.facts import catalog
from energy.record import RunRecord
from energy.shape import parameters, total
from glam.architecture import GLAM, PLAIN
from glam.config import GlamConfig
from glam.family import builds
from glam.model.decoder import Glam
from tests.support.small_models import metrics_rows

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
        ("glam", MIXTURE_TOML),
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
    assert record.environment["architecture"]["expert_activation"] == "relu"
    assert record.environment["dispatch"]["kind"] == (router or "dropless")
    rows = metrics_rows(out)
    assert rows[-1]["loss"] < rows[0]["loss"]
    if router:
        assert record.shape["top_k"] == (1 if router == "switch" else 2)
    answer = ["generate", out, "--prompt", "def ", "--tokens", 8]
    text = glam(*answer).out
    assert text.startswith("def ")
    assert len(text) > len("def \n")
    if router is None:
        metered = glam(*answer, "--out", tmp_path / "answer")
        assert metered.out == text
        answered = RunRecord.load(tmp_path / "answer")
        counts = {window.name: window.count for window in answered.windows}
        assert counts["prefill"] == 1
        assert counts["prefill"] + counts["decode"] == answered.tokens.value
        assert {"prefill", "decode"} <= {phase.name for phase in answered.phases}
        assert answered.model_flop.value > 0
        assert answered.metrics["decode_j_per_token"].value > 0
    if router == "glam":
        (tmp_path / "prompts.jsonl").write_text('{"prompt": "def "}\n{"prompt": "x"}\n' * 2)
        many = ["generate", out, "--prompts", "prompts.jsonl", "--tokens", 8, "--temperature", 0]
        alone = glam(*many, "--json", "--batch", 1)
        metered = glam(*many, "--json", "--batch", 3, "--out", tmp_path / "answers")
        assert alone.out == metered.out
        assert [row["number"] for row in json.loads(alone.out)["answers"]] == [0, 1, 2, 3]
        answered = RunRecord.load(tmp_path / "answers")
        assert 1 < answered.metrics["mean_batch"].value <= 3
        assert answered.metrics["prompts"].value == 4
        assert "tokens/s" in metered.err
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


def test_sizes_tell_the_family_and_its_fields(glam):
    rows = {row["name"]: row for row in json.loads(glam("sizes", "--json").out)}
    assert rows["glam-64b-64e"]["family"] == rows["glam-mini"]["family"] == "glam"
    assert rows["glam-64b-64e"]["architecture"] == asdict(GLAM)
    assert rows["gpt-mini"]["family"] == "gpt"
    assert "glam: moe_position first, extra_logit True" in glam("sizes").out


def test_a_family_and_single_fields_of_it_are_set_in_the_file_of_a_run(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(f'family = "plain"\n{DENSE_TOML}[architecture]\nextra_logit = true\n')
    config = GlamConfig.of(str(file))
    assert config.architecture == replace(PLAIN, extra_logit=True)
    assert (config.family, config.training.adafactor_form) == ("own", "torch")
    assert config.with_family("glam").family == "glam"


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        ('family = "gpt"', "expected family to be glam or plain without position_rows; got gpt"),
        ("[architecture]\nextra_logits = true", "extra_logit"),
        ('[architecture]\nexpert_activation = "silu"', "one of gelu, gelu_tanh, relu; got silu"),
        ("[architecture]\nvocabulary_z_loss = -1", "at least 0 and finite"),
        ('[dispatch]\nkind = "gshard"\nsecond_expert = "all"\ngroups = 2', "groups 2 to be glam"),
        ('[dispatch]\nkind = "glam"\ngroups = 3', "a divisor of 128 tokens of a micro-batch"),
    ],
)
def test_fields_that_are_not_valid_are_refused_with_what_is_expected(tmp_path, text, expectation):
    head, _, section = text.partition("[")
    file = tmp_path / "run.toml"
    file.write_text(f"{head}\n{MIXTURE_TOML}" + (f"[{section}" if section else ""))
    with pytest.raises(InputError) as refused:
        GlamConfig.of(str(file))
    assert expectation in str(refused.value)
