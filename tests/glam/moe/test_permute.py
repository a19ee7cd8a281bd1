"""Copies of tokens and their weighted sum against gathers and sums written out."""

import pytest
import torch

from glam.moe.permute import Mix, Spread


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_spreading_and_mixing_equal_a_gather_and_a_weighted_sum_with_their_gradients(top_k):
    torch.manual_seed(top_k)
    tokens = torch.randn(9, 8, requires_grad=True)
    weights = torch.rand(9, top_k, requires_grad=True)
    order = torch.randperm(9 * top_k)
    place = order.argsort().view(9, top_k)
    scale = torch.rand(9 * top_k, 1)
    error = torch.randn(9, 8)

    token = order // top_k
    ours = Mix.apply(Spread.apply(tokens, token, place, None) * scale, weights, token, place)
    copies = tokens.repeat_interleave(top_k, 0)[order] * scale
    plain = (copies[place.flatten()].view(9, top_k, 8) * weights.unsqueeze(-1)).sum(1)
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-6)
    found = torch.autograd.grad(ours, [tokens, weights], error)
    wanted = torch.autograd.grad(plain, [tokens, weights], error)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


def test_a_sum_is_the_same_bits_every_time():
    torch.manual_seed(0)
    tokens = torch.randn(512, 64, requires_grad=True)
    order = torch.randperm(1024)
    place = order.argsort().view(512, 2)
    error = torch.randn(1024, 64)
    found = [
        torch.autograd.grad(Spread.apply(tokens, order // 2, place, None), tokens, error)[0]
        for _ in range(5)
    ]
    assert all(torch.equal(found[0], one) for one in found)


def test_choices_without_a_row_neither_give_nor_take():
    """Of 6 choices 4 have a row; the fifth row is empty and holds token 0."""
    torch.manual_seed(0)
    tokens = torch.randn(3, 8, requires_grad=True)
    weights = torch.rand(3, 2, requires_grad=True)
    kept = torch.tensor([[True, False], [True, True], [False, True]])
    place = torch.tensor([[2, 0], [0, 3], [0, 1]])
    token, held = torch.tensor([1, 2, 0, 1, 0]), torch.tensor([2, 0, 3, 1])
    error, scale = torch.randn(3, 8), torch.rand(5, 1)

    rows = Spread.apply(tokens, token, place, kept) * scale
    ours = Mix.apply(rows, weights * kept, token, place)
    plain = torch.zeros(3, 8)
    for row, (one, choice) in zip(held, kept.nonzero(), strict=True):
        share = weights[one, choice] * scale[row] * tokens[one]
        plain = plain.index_add(0, one.view(1), share.view(1, -1))
    torch.testing.assert_close(ours, plain)
    found = torch.autograd.grad(ours, [tokens, weights], error)
    wanted = torch.autograd.grad(plain, [tokens, weights], error)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
