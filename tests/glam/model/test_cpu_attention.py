"""Attention by the sequence gives, bit for bit, what one line over the whole batch gives."""

import pytest
import torch

from glam.model.cpu_attention import BiasedAttention


def plain(q, k, v, bias):
    scores = q @ k.transpose(-2, -1)
    scores += bias
    return scores.softmax(-1) @ v


@pytest.mark.parametrize(
    ("batch", "heads", "seq", "width"), [(1, 1, 1, 4), (3, 2, 37, 8), (2, 4, 256, 32)]
)
def test_output_and_every_gradient_are_those_of_whole_batches(batch, heads, seq, width):
    draw = torch.Generator().manual_seed(seq)
    found = []
    for attend in (plain, BiasedAttention.apply):
        draw.manual_seed(seq)
        laid = [torch.randn(batch, seq, heads * width, generator=draw) for _ in range(3)]
        bias = torch.randn(heads, seq, seq, generator=draw)
        bias += torch.full((seq, seq), float("-inf")).triu(1)
        leaves = [one.requires_grad_() for one in (*laid, bias)]
        q, k, v = (one.view(batch, seq, heads, width).transpose(1, 2) for one in leaves[:3])
        mixed = attend(q, k, v, leaves[3])
        mixed.backward(torch.randn(mixed.shape, generator=draw))
        found.append([mixed.detach(), *(one.grad for one in leaves)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-6, atol=1e-6)


def test_what_is_masked_has_no_weight_and_no_gradient():
    q, k, v = (torch.randn(1, 1, 3, 4, requires_grad=True) for _ in range(3))
    bias = torch.full((1, 3, 3), float("-inf")).triu(1).requires_grad_()
    mixed = BiasedAttention.apply(q, k, v, bias)
    mixed[0, 0, 0].sum().backward()
    torch.testing.assert_close(mixed[0, 0, 0], v[0, 0, 0])
    assert v.grad[0, 0, 1:].abs().max() == 0
    assert torch.isfinite(bias.grad).all()
