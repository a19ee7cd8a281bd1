"""Time of the collectives between chips, on links of two tiers.

A group is n chips that are `stride` apart in the order of ranks. Chips of one link domain
communicate over its fast links, in a torus over the axes that the group spans. Beyond the domain
each chip has its share of its node's network, and a hierarchical collective uses all of these
shares at once. All-gather and reduce-scatter move (n-1)/n of the result, all-reduce twice that
(Patarasu and Yuan, 2009, doi:10.1016/j.jpdc.2008.09.002). Latency is per hop, with the number of
hops of a ring or of a tree, whichever is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from energy.shape import Number, plain
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware

LN_SLICE_CHIPS = 5.6
"""Natural logarithm of the chips in a typical slice of a torus, about 270."""


@dataclass(frozen=True)
class Group:
    """The chips of one collective.

    Attributes:
        size: n, all chips.
        inner: chips of the group that share one link domain.
        link_bytes_per_s: rate that a chip's links give this group, after their efficiency.
        network_bytes_per_s: rate of a chip's share of the network, after its efficiency.
        latency_s: latency of all hops of one all-gather.
        axes: of a torus that the group spans; 0 where a switch joins all.
    """

    size: Number
    inner: Number
    link_bytes_per_s: Number
    network_bytes_per_s: Number
    latency_s: Number
    axes: Number = 0

    def all_gather_s(self, size_bytes: Number) -> Number:
        """Seconds of an all-gather, or of a reduce-scatter, of `size_bytes` in all.

        8 chips, 450 GB/s at 0.75, 1 GB, no latency: 7/8 * 1e9 / 3.375e11 = 2.6 ms.
        """
        n, inner, size = np.asarray(self.size, float), np.asarray(self.inner), size_bytes
        links_s = np.asarray(size) * (inner - 1) / inner / self.link_bytes_per_s
        outer = n / inner
        # The network of each chip carries its own part of the result of its domain.
        crossing_bytes = np.asarray(size) / inner * (outer - 1) / outer
        network_s = np.where(outer > 1, crossing_bytes / self.network_bytes_per_s, 0)
        return plain(np.where(n > 1, links_s + network_s + self.latency_s, 0))

    def all_reduce_s(self, size_bytes: Number) -> Number:
        """Seconds of an all-reduce: a reduce-scatter and an all-gather."""
        return plain(2 * np.asarray(self.all_gather_s(size_bytes)))

    def all_to_all_s(self, sent_bytes: Number) -> Number:
        """Seconds of an all-to-all in which each chip sends `sent_bytes` in all, itself included.

        Links and network work at the same time; the slower one sets the pace. In a torus a message
        passes a quarter of the ring of each axis on its way, so that all of 64 chips on three axes
        of 4 send 3 times as long as through a switch of the same links; on one axis of n chips
        it is a quarter of an all-gather (jax-ml.github.io/scaling-book/sharding).
        """
        n, inner = np.asarray(self.size, float), np.asarray(self.inner)
        links_s = np.asarray(sent_bytes) * (inner - 1) / n / self.link_bytes_per_s
        if np.any(axes := np.asarray(self.axes, float)):
            ring = inner ** (1 / np.maximum(axes, 1))
            torus_s = np.asarray(sent_bytes) * inner / n * axes * ring / 4 / self.link_bytes_per_s
            links_s = np.where(axes > 0, np.maximum(torus_s, links_s), links_s)
        crossing_bytes = np.asarray(sent_bytes) * (n - inner) / n
        network_s = np.where(n > inner, crossing_bytes / self.network_bytes_per_s, 0)
        return plain(np.where(n > 1, np.maximum(links_s, network_s) + self.latency_s, 0))

    def dispatch_s(self, sent_bytes: Number, choices: Number, nodes: Number) -> Number:
        """Seconds of an all-to-all of tokens that each cross the network once for each node.

        A token whose `choices` copies go to experts on several chips of one domain is sent there
        once, and passed on over the fast links (DeepEP, github.com/deepseek-ai/DeepEP). Of n
        domains, random choices meet n * (1 - (1 - 1/n)^choices): 8 choices and 4 domains, 3.6.

        Args:
            sent_bytes: of all copies of a chip's tokens.
            choices: copies of each token.
            nodes: domains that the experts of one token are on, at most.
        """
        n, inner = np.asarray(self.size, float), np.asarray(self.inner)
        domains, copies = n / inner, np.maximum(np.asarray(choices, float), 1)
        met = np.minimum(domains * (1 - (1 - 1 / domains) ** copies), nodes)
        crossing_bytes = np.asarray(sent_bytes) / copies * met * (1 - 1 / domains)
        links_s = np.asarray(sent_bytes) * (inner - 1) / inner / self.link_bytes_per_s
        network_s = np.where(domains > 1, crossing_bytes / self.network_bytes_per_s, 0)
        return plain(np.where(n > 1, np.maximum(links_s, network_s) + self.latency_s, 0))


def group(size: Number, stride: Number, hardware: Hardware, constants: Constants) -> Group:
    """The chips of a collective on this hardware.

    >>> from energy.facts import catalog
    >>> from simulator.physics.hardware import Hardware
    >>> h100 = Hardware.from_chip(catalog.chip("h100"), "bf16", Constants())
    >>> eight = group(8, 1, h100, Constants(link_efficiency=0.75, link_latency_s=1e-7))
    >>> [f"{1e3 * s:.3g} ms" for s in (eight.all_gather_s(1e9), eight.all_to_all_s(1e9))]
    ['2.59 ms', '2.59 ms']

    Args:
        size: n, 1 for no collective.
        stride: distance of neighbors in the order of ranks: the product of the inner degrees.
        hardware: with the links of a chip.
        constants: with the efficiency and latency of the links.
    """
    n, domain = np.asarray(size, float), np.asarray(hardware.link_domain_chips, float)
    # As few domains as hold the group, and the same number of its chips in each: 256 chips take
    # 64 of each of four racks of 72, as jobs are placed; 144 chips all 72 of two.
    domains = np.ceil(n * np.asarray(stride) / domain)
    inner = np.clip(n / domains, 1, n)
    axes = np.asarray(hardware.link_axes, float)
    # A group that is a part of a torus uses the links of the axes that it spans; a slice is about
    # a cube, so n of its N chips span axes * ln n / ln N of them, at least one.
    spanned = np.clip(
        np.ceil(axes * np.log(np.maximum(inner, 2)) / LN_SLICE_CHIPS), 1, np.maximum(axes, 1)
    )
    share = np.where(axes > 0, spanned / np.maximum(axes, 1), 1.0)
    outer = n / inner
    tree = 4 * np.log2(np.maximum(n, 2))
    link_hops, network_hops = np.minimum(inner - 1, tree), np.minimum(outer - 1, tree)
    link_rate = np.maximum(hardware.link_bytes_per_s, 1.0)
    network_rate = np.maximum(hardware.network_bytes_per_s, 1.0)
    return Group(
        size=size,
        inner=inner,
        link_bytes_per_s=link_rate * share * constants.link_efficiency,
        network_bytes_per_s=network_rate * constants.network_efficiency,
        latency_s=link_hops * constants.link_latency_s + network_hops * constants.network_latency_s,
        axes=plain(np.where(axes > 0, spanned, 0)),
    )
