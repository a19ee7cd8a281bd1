"""Threaded experts compute what grouped products compute, whatever the load."""

import pytest
import torch

from glam.architecture import Architecture
from glam.moe import expert_threads
from glam.moe.expert_threads import ThreadedExperts, threads_pay_off
from glam.moe.layer import MixtureOfExperts
from tests.glam.model.test_flops_match_torch import counted
from tests.support.small_models import CLOSE, mixture

LOADS = {
    "even": [8, 8, 8, 8],
    "one expert idle": [0, 16, 15, 1],
    "one expert takes all": [0, 32, 0, 0],
    "the last two idle": [30, 2, 0, 0],
}


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh"])
@pytest.mark.parametrize("loads", LOADS.values(), ids=LOADS)
@pytest.mark.usefixtures("two_threads")
def test_rows_and_gradients_equal_grouped_products(loads, activation, monkeypatch):
    torch.manual_seed(0)
    architecture = Architecture(expert_activation=activation)
    experts = MixtureOfExperts(mixture(4, 2), architecture=architecture).experts
    for weight in experts.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    x = torch.randn(32, 32, requires_grad=True)
    error, ends = torch.randn(32, 32), torch.tensor(loads).cumsum(0).int()
    inputs = [x, *experts.parameters()]
    grouped = experts(x, ends)
    monkeypatch.setattr(expert_threads, "MIN_FLOP", 0.0)
    assert threads_pay_off(x, experts.up)
    threaded = experts(x, ends)
    torch.testing.assert_close(threaded, grouped, **CLOSE)
    expected = torch.autograd.grad(grouped, inputs, error)
    for ours, theirs in zip(torch.autograd.grad(threaded, inputs, error), expected, strict=True):
        torch.testing.assert_close(ours, theirs, **CLOSE)


@pytest.mark.usefixtures("two_threads")
def test_the_assignment_of_experts_to_threads_changes_no_bit():
    torch.manual_seed(0)
    x, error = torch.randn(512, 64, requires_grad=True), torch.randn(512, 64)
    up = torch.randn(8, 96, 64, requires_grad=True)
    down = torch.randn(8, 64, 96, requires_grad=True)
    ends = [10, 200, 230, 260, 300, 301, 480, 512]

    def result():
        rows = ThreadedExperts.apply(x, up, down, ends, "gelu")
        return [rows, *torch.autograd.grad(rows, [x, up, down], error)]

    first = result()
    for _ in range(4):
        assert all(a.equal(b) for a, b in zip(first, result(), strict=True))


@pytest.mark.usefixtures("two_threads")
def test_torchs_counter_sees_every_flop_of_experts_that_would_be_threaded():
    experts = MixtureOfExperts(mixture(4, 2)).experts
    x, up = torch.randn(8192, 256, requires_grad=True), torch.randn(8, 768, 256)
    experts.up, experts.down = torch.nn.Parameter(up), torch.nn.Parameter(up.mT.contiguous())
    assert threads_pay_off(x, experts.up)
    ends = torch.arange(1, 9, dtype=torch.int32) * 1024
    assert (
        counted(lambda: experts(x, ends).square().sum().backward()) == 3 * 2 * 2 * 8192 * 256 * 768
    )


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_a_thread_is_raised_and_the_number_of_threads_restored():
    def fail(expert, worker):
        raise ValueError(f"expert {expert}")

    with pytest.raises(ValueError, match="expert"):
        expert_threads._run_in_threads(fail, [slice(0, 1), slice(1, 2)])
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_small_experts_and_a_single_thread_in_float32_use_grouped_products():
    x, up = torch.randn(8192, 256), torch.randn(8, 768, 256)
    assert threads_pay_off(x, up)
    assert not threads_pay_off(x[:16], up)
    torch.set_num_threads(1)
    assert not threads_pay_off(x, up)
    assert threads_pay_off(x.bfloat16(), up)
