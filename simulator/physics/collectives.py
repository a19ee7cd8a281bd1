"""Seconds of the collectives that chips exchange, on links of two tiers.

A group is n chips that stand `stride` apart in the order of ranks. Those of one link domain talk
over its fast links, a torus over the axes that the group spans; beyond it each chip has its share
of its node's network, and a hierarchical collective lets all of them work at once. What travels
is (n-1)/n of the result: all-gather and reduce-scatter once, all-reduce twice (Patarasu and Yuan,
2009, doi:10.1016/j.jpdc.2008.09.002); hops cost latency, a ring's or a tree's, the fewer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.shape import Number, plain
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware


@dataclass(frozen=True)
class Group:
    """Chips of one collective.

    Attributes:
        size: n.
        inner: of them, those that share one link domain.
        links: bytes/s that a chip's links give this group, after their efficiency.
        network: bytes/s that a chip's share of the network gives, likewise; 0 where the hardware
            has none and the group does not need it.
        latency_s: of all hops of one all-gather.
    """

    size: Number
    inner: Number
    links: Number
    network: Number
    latency_s: Number

    def gather_s(self, size_bytes: Number) -> Number:
        """Seconds of an all-gather, or of a reduce-scatter, of `size_bytes` in all.

        8 chips, 450 GB/s at 0.75, 1 GB, no latency: 7/8 * 1e9 / 3.375e11 = 2.6 ms.
        """
        n, inner, size = np.asarray(self.size, float), np.asarray(self.inner), size_bytes
        near = np.asarray(size) * (inner - 1) / inner / self.links
        outer = n / inner
        # Each chip's network carries the part of the result that it holds for its domain.
        far = np.where(outer > 1, np.asarray(size) / inner * (outer - 1) / outer / self.network, 0)
        return plain(np.where(n > 1, near + far + self.latency_s, 0))

    def reduce_s(self, size_bytes: Number) -> Number:
        """Seconds of an all-reduce: a reduce-scatter and an all-gather."""
        return plain(2 * np.asarray(self.gather_s(size_bytes)))

    def exchange_s(self, sent_bytes: Number) -> Number:
        """Seconds of an all-to-all in which each chip sends `sent_bytes` in all, itself included.

        Links and network work at the same time; the slower one sets the pace.
        """
        n, inner = np.asarray(self.size, float), np.asarray(self.inner)
        near = np.asarray(sent_bytes) * (inner - 1) / n / self.links
        far = np.where(n > inner, np.asarray(sent_bytes) * (n - inner) / n / self.network, 0)
        return plain(np.where(n > 1, np.maximum(near, far) + self.latency_s, 0))


def group(size: Number, stride: Number, hardware: Hardware, constants: Constants) -> Group:
    """The chips of a collective on this hardware.

    Args:
        size: n, 1 for no collective.
        stride: distance of neighbours in the order of ranks: the product of the inner degrees.
        hardware: its links.
        constants: their efficiency and latency.
    """
    n, domain = np.asarray(size, float), np.asarray(hardware.link_domain_chips, float)
    inner = np.clip(domain / np.asarray(stride), 1, n)
    axes = np.asarray(hardware.link_axes, float)
    # A group that is a part of a torus owns the links of the axes it spans; a slice of a pod is
    # about a cube, so n of N chips span axes * ln n / ln N of them, one at least.
    spanned = np.clip(np.ceil(axes * np.log(np.maximum(inner, 2)) / 5.6), 1, np.maximum(axes, 1))
    share = np.where(axes > 0, spanned / np.maximum(axes, 1), 1.0)
    outer = n / inner
    tree = 4 * np.log2(np.maximum(n, 2))
    hops_near, hops_far = np.minimum(inner - 1, tree), np.minimum(outer - 1, tree)
    return Group(
        size=size,
        inner=inner,
        links=np.maximum(hardware.link_bytes_per_s, 1.0) * share * constants.link_efficiency,
        network=np.maximum(hardware.network_bytes_per_s, 1.0) * constants.network_efficiency,
        latency_s=hops_near * constants.link_latency_s + hops_far * constants.network_latency_s,
    )
