"""A model in bfloat16 has float32 weights and learns as in float32; a run keeps its format."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.record import RunRecord
from glam import precision
from glam.activations import GatedGelu, gelu_and_derivative
from glam.architecture import ARCHITECTURES
from glam.checkpoints.checkpoint import Checkpoint, checkpoints, load_checkpoint
from glam.config import Dispatch, Training
from glam.model.decoder import Glam
from glam.moe.dispatch import padded_rows, row_multiple
from glam.moe.layer import MixtureOfExperts
from glam.precision import DTYPES, choose_precision, copy_in_format
from glam.training.optimizer import build_optimizer, update
from glam.training.run import train
from tests.support.small_models import TINY_MIXTURE, metrics_rows, mixture, small_run

CPU = torch.device("cpu")
OPTIMIZERS = [
    {"optimizer": "adafactor"},
    {"optimizer": "adafactor", "adafactor_form": "torch"},
    {"optimizer": "adamw"},
]


def speeds(monkeypatch, bfloat16):
    """Make products in bfloat16 so many times faster than in float32."""
    seconds = {"float32": 1.0, "bfloat16": 1 / bfloat16}
    monkeypatch.setattr(precision, "_seconds", lambda name, *_: seconds[name])


@pytest.mark.parametrize(
    ("gain", "expected"), [(2.0, "bfloat16"), (1.1, "float32"), (0.01, "float32")]
)
def test_the_format_follows_the_speed_of_products_not_the_name_of_the_processor(
    monkeypatch, gain, expected
):
    speeds(monkeypatch, gain)
    assert choose_precision("auto", CPU) == expected


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
@pytest.mark.parametrize("gain", [0.01, 100])
def test_a_chosen_format_goes_before_the_measured_one(monkeypatch, wanted, gain):
    speeds(monkeypatch, gain)
    assert choose_precision(wanted, CPU) == wanted


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="precision"):
        choose_precision("float8", CPU)


def losses_and_gradients(shape, tokens, name, **settings):
    model = Glam(shape, precision=name, **settings)
    output = model(tokens, torch.Generator().manual_seed(1))
    (output.loss + 0.01 * output.auxiliary_loss).backward()
    return output.loss.item(), {key: w.grad for key, w in model.named_parameters()}


@pytest.mark.parametrize("family", ["glam", "plain"])
@pytest.mark.parametrize("kind", ["dropless", "glam"])
def test_loss_and_gradients_in_bfloat16_are_close_to_those_in_float32(family, kind):
    torch.manual_seed(0)
    shape = mixture(4, 2)
    tokens = torch.randint(512, (4, 17))
    settings = {"architecture": ARCHITECTURES[family], "dispatch": Dispatch(kind=kind)}
    loss, expected = losses_and_gradients(shape, tokens, "float32", **settings)
    half_loss, gradients = losses_and_gradients(shape, tokens, "bfloat16", **settings)
    assert half_loss == pytest.approx(loss, abs=5e-3)
    for name, gradient in gradients.items():
        assert gradient.dtype == torch.float32
        # Rounding to 8 bits; the router's gradient is a difference of near equals.
        limit = 0.3 if "router" in name else 0.15
        assert (gradient - expected[name]).norm() <= limit * expected[name].norm(), name


@pytest.mark.parametrize("recipe", OPTIMIZERS)
def test_a_step_computes_with_the_weights_of_the_update_before_it(recipe):
    torch.manual_seed(0)
    training = Training(**recipe, learning_rate=0.01)
    model = Glam(TINY_MIXTURE, precision="bfloat16")
    optimizer, tokens = build_optimizer(model, training), torch.randint(50, (2, 9))
    for step in (1, 2):
        model(tokens).loss.backward()
        update(model, optimizer, training, step)
    fresh = Glam(TINY_MIXTURE, seed=1, precision="bfloat16")
    fresh.load_state_dict(model.state_dict())
    assert model(tokens).loss == fresh(tokens).loss
    states = [s for values in optimizer.state.values() for s in values.values()]
    for tensor in (*model.parameters(), *states):
        assert tensor.dtype == torch.float32


def test_a_copy_is_rounded_once_and_again_after_its_weight_changes():
    weight = torch.nn.Parameter(torch.randn(3, 4))
    copy = copy_in_format(weight.detach(), torch.bfloat16, of=weight)
    assert copy_in_format(weight.detach(), torch.bfloat16, of=weight) is copy
    with torch.no_grad():
        weight.mul_(2)
    torch.testing.assert_close(
        copy_in_format(weight.detach(), torch.bfloat16, of=weight), weight.detach().bfloat16()
    )


@given(
    st.lists(st.integers(0, 5000), min_size=1, max_size=64),
)
def test_padded_rows_are_few_sizes_and_no_more_than_a_sixteenth_or_eight_beyond_the_mean(counts):
    rows, multiple = sum(counts), row_multiple(sum(counts), len(counts))
    padded = padded_rows(torch.tensor(counts), multiple)
    assert multiple <= max(8, rows / len(counts) / 16)
    assert all(size % multiple == 0 for size in padded.tolist())
    assert all(0 <= p - c < multiple for p, c in zip(padded.tolist(), counts, strict=True))


@pytest.mark.parametrize("tokens", [1, 7, 300])
def test_padding_changes_no_token(tokens):
    torch.manual_seed(0)
    layer = MixtureOfExperts(mixture(4, 2))
    for weight in layer.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    x = torch.randn(1, tokens, 32, requires_grad=True)
    expected, _ = layer(x)
    mixed, _ = layer(x, dtype=torch.bfloat16)
    torch.testing.assert_close(mixed.float(), expected, rtol=0.05, atol=0.05)
    error = torch.randn_like(expected)
    theirs = torch.autograd.grad(expected, [x, *layer.experts.parameters()], error)
    ours = torch.autograd.grad(mixed, [x, *layer.experts.parameters()], error.bfloat16())
    for gradient, reference in zip(ours, theirs, strict=True):
        assert (gradient - reference).norm() <= 0.05 * reference.norm()


@pytest.mark.parametrize("name", DTYPES)
def test_the_gated_gelu_and_its_gradients_equal_those_of_torch(name):
    torch.manual_seed(0)
    dtype = DTYPES[name]
    gate, up = (torch.randn(3, 25_000, dtype=dtype).mul_(3).requires_grad_() for _ in range(2))
    error = torch.randn(3, 25_000, dtype=dtype)
    expected = torch.nn.functional.gelu(gate.double(), approximate="tanh") * up.double()
    theirs = torch.autograd.grad(expected, [gate, up], error.double())
    ours = GatedGelu.apply(gate, up)
    close = {"rtol": 1e-5, "atol": 1e-5} if name == "float32" else {"rtol": 0.02, "atol": 0.02}
    torch.testing.assert_close(ours.double(), expected, **close)
    gradients = torch.autograd.grad(ours, [gate, up], error)
    for gradient, reference in zip(gradients, theirs, strict=True):
        torch.testing.assert_close(gradient.double(), reference.double(), **close)


def test_the_worked_number_of_gelu_and_its_derivative():
    value, slope = gelu_and_derivative(torch.ones(1), derivative=True)
    assert value.item() == pytest.approx(0.84119, abs=5e-6)
    assert slope.item() == pytest.approx(1.08296, abs=5e-6)


@pytest.mark.parametrize("kind", ["dropless", "glam"])
def test_no_operation_of_both_passes_waits_for_a_value_or_has_a_size_that_depends_on_one(kind):
    with torch.device("meta"):  # where there are sizes but no values, and GPUs' way is taken
        model = Glam(mixture(4, 2), dispatch=Dispatch(kind=kind), precision="bfloat16")
        tokens = torch.zeros(2, 17, dtype=torch.long)
    output = model(tokens, None if kind == "dropless" else torch.Generator())
    (output.loss + 0.01 * output.auxiliary_loss).backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.dtype == torch.float32


@pytest.fixture(scope="module")
def half_run(tmp_path_factory):
    """A run in bfloat16 and one that was resumed half-way."""
    whole, halves = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("halves")
    config = small_run(steps=6, checkpoint_every=3, precision="bfloat16")
    train(config, whole, peak_flop_per_s=1e12)
    train(config.with_training(steps=3), halves, peak_flop_per_s=1e12)
    train(config.with_training(precision="auto"), halves, resume=True, peak_flop_per_s=1e12)
    return whole, halves


def test_a_resumed_run_in_bfloat16_ends_with_the_weights_of_an_uninterrupted_one(half_run):
    whole, halves = (load_checkpoint(checkpoints(out / "checkpoints")[-1]) for out in half_run)
    assert whole.step == halves.step == 6
    for name, tensor in whole.tensors.items():
        assert torch.equal(tensor, halves.tensors[name]), name


def test_checkpoint_record_and_metrics_name_the_format(half_run):
    for out in half_run:
        last = load_checkpoint(checkpoints(out / "checkpoints")[-1])
        assert last.config.training.precision == "bfloat16"
        record = RunRecord.load(out)
        assert record.environment["precision"] == record.labels["precision"] == "bfloat16"
        assert metrics_rows(out)[-1]["precision"] == "bfloat16"


def test_executed_flop_have_the_padding_of_all_steps_also_of_a_resumed_run(half_run):
    whole, halves = (RunRecord.load(out) for out in half_run)
    executed, model = whole.executed_flop.value, whole.model_flop.value
    assert executed > model
    assert halves.executed_flop.value == pytest.approx(executed, rel=1e-12)
    assert "assignments" in whole.executed_flop.source
    assert whole.metrics["hfu"].value / whole.metrics["mfu"].value == pytest.approx(
        executed / model
    )


def test_a_run_is_not_resumed_in_another_format(half_run):
    config = small_run(steps=8, checkpoint_every=3, precision="float32")
    with pytest.raises(InputError, match=r"training.precision = float32 \(was bfloat16"):
        train(config, half_run[0], resume=True)


def test_a_run_from_before_formats_could_be_chosen_goes_on_in_float32(tmp_path):
    config = small_run(steps=2, precision="float32")
    train(config, tmp_path, peak_flop_per_s=1e12)
    newest = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    former = replace(newest, config=newest.config.with_training(precision="auto"))
    assert isinstance(former, Checkpoint)
    former.write(tmp_path / "checkpoints")
    train(config.with_training(steps=3, precision="auto"), tmp_path, resume=True)
    last = load_checkpoint(checkpoints(tmp_path / "checkpoints")[-1])
    assert (last.step, last.config.training.precision) == (3, "float32")
