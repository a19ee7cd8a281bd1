"""Attention one sequence at a time gives what attention over the whole batch gives."""

import pytest
import torch

from glam.model.attention import attention_weights
from glam.model.cpu_attention import BiasedAttention


def whole_batch(q, k, v, bias, extra_logit):
    scores = q @ k.transpose(-2, -1)
    scores += bias
    return attention_weights(scores, extra_logit) @ v


@pytest.mark.parametrize("extra_logit", [False, True], ids=["plain", "one more logit"])
@pytest.mark.parametrize(
    ("batch", "heads", "seq", "width"), [(1, 1, 1, 4), (3, 2, 37, 8), (2, 4, 256, 32)]
)
def test_output_and_gradients_equal_those_of_the_whole_batch(batch, heads, seq, width, extra_logit):
    # The extra logit is taken in by another formula, with a rounding of its own in float32.
    dtype = torch.float64 if extra_logit else torch.float32

    def output_and_gradients(attend):
        generator = torch.Generator().manual_seed(seq)
        inputs = [
            torch.randn(batch, seq, heads * width, generator=generator).to(dtype) for _ in range(3)
        ]
        bias = torch.randn(heads, seq, seq, generator=generator).to(dtype)
        bias += torch.full((seq, seq), float("-inf")).triu(1)
        leaves = [tensor.requires_grad_() for tensor in (*inputs, bias)]
        q, k, v = (leaf.view(batch, seq, heads, width).transpose(1, 2) for leaf in leaves[:3])
        mixed = attend(q, k, v, leaves[3], extra_logit)
        mixed.backward(torch.randn(mixed.shape, generator=generator).to(dtype))
        return [mixed.detach(), *(leaf.grad for leaf in leaves)]

    expected = output_and_gradients(whole_batch)
    for ours, theirs in zip(output_and_gradients(BiasedAttention.apply), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_masked_positions_have_no_weight_and_no_gradient():
    q, k, v = (torch.randn(1, 1, 3, 4, requires_grad=True) for _ in range(3))
    bias = torch.full((1, 3, 3), float("-inf")).triu(1).requires_grad_()
    mixed = BiasedAttention.apply(q, k, v, bias)
    mixed[0, 0, 0].sum().backward()
    torch.testing.assert_close(mixed[0, 0, 0], v[0, 0, 0])
    assert v.grad[0, 0, 1:].abs().max() == 0
    assert torch.isfinite(bias.grad).all()


@pytest.mark.parametrize(("score", "weight"), [(-100.0, 0.0), (0.0, 0.5), (100.0, 1.0)])
def test_with_one_more_logit_a_query_can_attend_to_nothing(score, weight):
    q, k, v = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), score), torch.ones(1, 1, 1, 1)
    mixed = BiasedAttention.apply(q, k, v, torch.zeros(1, 1, 1), True)
    assert mixed.item() == pytest.approx(weight)
    assert attention_weights(q * k, extra_logit=True).item() == pytest.approx(weight)
