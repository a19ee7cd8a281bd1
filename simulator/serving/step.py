"""One step of a server with continuous batching: seconds by part, for decode and for prompts.

A step yields a token of every sequence in flight. It reads all dense weights, the experts that its
tokens touch, and the caches; what a chip reads and what it computes overlap, so a part takes the
longer of both, rounded where they are alike. Each token leaves room for 1 / answer of a new prompt,
so batch / answer prompts join a step. A step with a prompt runs without captured graphs: the host
launches each layer, which counts where the chip would be faster.

With replicas of the attention that share experts, every replica runs as long as the one with the
longest prompt, and sends as many rows as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.physics.constants import PRIORS
from simulator.serving.constants import ServingConstants
from simulator.serving.experts import busiest_tokens, busiest_touched, largest, touched
from simulator.serving.service import HEAD_BYTES, STATE_BYTES, Service

SHARPNESS = 3.0
"""Power of the mean by which the longer of two overlapping times is taken."""

ATTENTION = PRIORS["attention_efficiency"].value
"""Share of the peak that attention reaches, as in training."""

MEDIAN_WIDTH = 0.1
"""How sharply the median step becomes one with a prompt, where half of the steps have one."""


@dataclass(frozen=True)
class Step:
    """Seconds of the mean step of one chip, by part; arrays.

    Attributes:
        dense: attention, dense networks and the output matrix, decode.
        experts: of the busiest chip, decode.
        cache: reading caches and states.
        messages: between chips.
        layers: fixed time of layers.
        host: scheduling, sampling.
        prompts: what prompts add to the mean step.
        median_s: the median time between two tokens of a sequence.
        mean_s: the mean.
        memory_busy: seconds in which memory is busy, of all parts.
        product_busy: seconds of products at the rate that they reach.
        message_busy: seconds in messages.
        layer_busy: fixed seconds of layers, and those in which the host launches them.
        imbalance: seconds of waiting for the busiest chip.
        prompt_products: seconds of products that prompts need.
        first_token_s: from a prompt to its first token, without a queue.
        bytes_read: bytes of memory that a chip reads.
        touched: share of the experts that the step touches.
        yields: tokens of a sequence that a step yields.
    """

    dense: Any
    experts: Any
    cache: Any
    messages: Any
    layers: Any
    host: Any
    prompts: Any
    median_s: Any
    mean_s: Any
    memory_busy: Any
    product_busy: Any
    message_busy: Any
    layer_busy: Any
    imbalance: Any
    prompt_products: Any
    first_token_s: Any
    bytes_read: Any
    touched: Any
    yields: Any

    @property
    def decode(self) -> Any:
        """Seconds of a step without a prompt."""
        return self.dense + self.experts + self.cache + self.messages + self.layers + self.host


@dataclass(frozen=True)
class _Rates:
    """FLOP and bytes per second that the parts of a step reach."""

    products: Any
    expert_products: Any
    attention: Any
    dense_bytes: Any
    expert_bytes: Any
    cache_bytes: Any
    link: Any


def step(service: Service, constants: ServingConstants) -> Step:
    """The mean step of a service.

    Llama 3 70B on 4 H100 (3.35 TB/s), 16 bit, batch 8: 141 GB / 4 / (3.35 TB/s * 0.9) = 11.7 ms of
    weights; 17 ms were measured, launches, messages and the host among them.
    """
    s, m, c = service, service.model, constants
    rates = _rates(s, c)
    rows = s.sequences * (1 + np.asarray(s.draft, float))
    dense_w = np.asarray(m.attention, float) + m.recurrence + m.dense
    weights = dense_w + m.head + m.draft * s.draft
    read = (dense_w + m.draft * s.draft) / s.sliced * s.weight_bytes
    read = read + m.head / s.sliced * HEAD_BYTES
    dense_m = read / rates.dense_bytes
    dense_c = 2 * weights / s.sliced * rows / rates.products
    dense = longer(dense_m, dense_c)
    ex = _experts(s, c, rates, rows)
    cached, cache = _cache(s, c, rates)
    messages = _messages(s, c, rates, rows)
    layers = c.layer_s * m.layers + c.mixture_s * m.mixtures + c.recurrent_s * m.recurrent
    layers = layers + c.narrow_s * m.layers * s.narrow
    host = c.host_s + c.sequence_s * s.sequences
    device = dense + ex.seconds + cache + messages + layers
    pre = _prompts(s, c, rates, ex, device)
    decode = device + host
    median = decode + pre.in_median * pre.mean_s
    mean = decode + pre.mean_s
    return Step(
        dense=dense,
        experts=ex.seconds,
        cache=cache,
        messages=messages,
        layers=layers,
        host=host,
        prompts=pre.mean_s,
        median_s=median / s.tokens_a_step,
        mean_s=mean,
        memory_busy=dense_m + ex.mean_read_s + cache,
        product_busy=dense_c + ex.mean_product_s + pre.products_s,
        message_busy=messages + pre.messages_s,
        layer_busy=layers + pre.launch_s,
        imbalance=ex.waiting_s + pre.waiting_s,
        prompt_products=pre.products_s,
        first_token_s=decode + pre.alone_s,
        bytes_read=read + ex.mean_bytes + cached,
        touched=ex.touched,
        yields=s.tokens_a_step,
    )


def longer(a: Any, b: Any) -> Any:
    """The longer of two times that overlap, rounded where they are alike: 1 and 1 give 1.26."""
    return (a**SHARPNESS + b**SHARPNESS) ** (1 / SHARPNESS)


def _rates(s: Service, c: ServingConstants) -> _Rates:
    board = s.board
    peak = np.where(np.asarray(s.narrow) > 0, board.peak_8bit, board.peak_16bit)
    joined = np.asarray(s.chips) <= board.domain
    link = np.where(joined, board.link_bytes_per_s, board.network_bytes_per_s) * c.link
    memory = np.asarray(board.bytes_per_s, float)
    return _Rates(
        products=peak * c.products,
        expert_products=peak * c.expert_products,
        attention=np.asarray(board.peak_16bit) * ATTENTION,
        dense_bytes=memory * c.memory,
        expert_bytes=memory * c.expert_memory,
        cache_bytes=memory * c.cache,
        link=np.maximum(link, 1.0),
    )


@dataclass(frozen=True)
class _Experts:
    """Experts in decode: seconds of the busiest chip, and what the mean chip does in them."""

    seconds: Any
    read_s: Any
    mean_read_s: Any
    mean_product_s: Any
    waiting_s: Any
    mean_bytes: Any
    touched: Any
    spread: Any


def _experts(s: Service, c: ServingConstants, rates: _Rates, rows: Any) -> _Experts:
    m = s.model
    spread = c.spread if s.spread is None else s.spread
    tokens = rows * s.dp
    share = touched(m.experts, m.chosen, tokens, spread)
    fullest = busiest_touched(share, m.experts, s.ep)
    whole = np.asarray(m.expert, float) * m.experts / s.chips * s.expert_bytes
    read_s = whole * fullest / rates.expert_bytes
    over_mean = busiest_tokens(m.experts, m.chosen, tokens, spread, s.ep)
    flop = 2 * np.asarray(m.expert, float) * m.chosen * tokens / s.chips
    product_s = flop * over_mean / rates.expert_products
    read_share = np.asarray(share) / np.maximum(fullest, 1e-9)
    seconds = longer(read_s, product_s)
    busy = np.where(read_s > product_s, read_share, 1 / over_mean)
    return _Experts(
        seconds=seconds,
        read_s=read_s,
        mean_read_s=read_s * read_share,
        mean_product_s=product_s / over_mean,
        waiting_s=seconds * (1 - busy),
        mean_bytes=whole * share,
        touched=share,
        spread=spread,
    )


def _cache(s: Service, c: ServingConstants, rates: _Rates) -> tuple[Any, Any]:
    """Bytes of cache and state that a chip reads, and the seconds, products of attention too."""
    m = s.model
    context = np.asarray(s.prompt, float) + np.asarray(s.answer, float) / 2 * c.flight
    seen = np.minimum(context, m.window)
    kept = (m.cache_full * context + m.cache_window * seen) * s.cache_bytes
    read = kept * s.sequences / np.minimum(s.sliced, m.cache_heads)
    # A state is read and written.
    state = m.state * 2 * STATE_BYTES * s.sequences / s.sliced
    flop = m.score_flop * context + m.score_flop_window * seen
    score_s = flop * s.sequences * (1 + np.asarray(s.draft)) / s.sliced / rates.attention
    memory_s = read / rates.cache_bytes + state / rates.dense_bytes
    return read + state, longer(memory_s, score_s)


def _messages(s: Service, c: ServingConstants, rates: _Rates, rows: Any) -> Any:
    """Seconds of messages of a step: one for each mixer and network.

    Tensor parallel chips sum their parts (an all-reduce moves 2 (n - 1) / n of the bytes). Replicas
    that share experts gather the rows of all of them.
    """
    is_split = (s.sliced > 1) | _shares(s)
    moved = np.where(_shares(s), rows * s.dp, rows)
    return np.where(is_split, _moved_s(s, rates, moved) + s.model.branches * c.hop_s, 0.0)


def _moved_s(s: Service, rates: _Rates, rows: Any) -> Any:
    n = np.asarray(s.chips, float)
    size = s.model.branches * rows * s.model.width * 2 * 2 * (n - 1) / n
    return size / rates.link


def _shares(s: Service) -> Any:
    """Whether replicas of the attention share experts."""
    return (np.asarray(s.dp) > 1) & (np.asarray(s.model.mixtures) > 0)


@dataclass(frozen=True)
class _Prompts:
    """What prompts add to the mean step."""

    mean_s: Any
    alone_s: Any
    in_median: Any
    products_s: Any
    messages_s: Any
    launch_s: Any
    waiting_s: Any


def _prompts(s: Service, c: ServingConstants, rates: _Rates, ex: _Experts, device: Any) -> _Prompts:
    m = s.model
    started = s.sequences * s.tokens_a_step / s.answer
    padded = np.where(_shares(s), s.dp, 1.0)
    has = 1 - np.exp(-started * padded)
    tokens = started * s.prompt
    mean_seen = np.minimum(np.asarray(s.prompt, float) / 2, m.window)
    scores = (m.score_flop * s.prompt / 2 + m.score_flop_window * mean_seen) * m.prompt_share

    def products(count: Any) -> Any:
        weights = np.asarray(m.attention, float) + m.dense + m.recurrence / c.scan
        return count * (2 * weights / rates.products + scores / rates.attention) / s.sliced

    in_parallel = np.asarray(m.experts, float) / s.ep
    over_mean = np.minimum(1 + largest(s.ep) * ex.spread / np.sqrt(in_parallel), s.ep)

    def experts(rows: Any) -> Any:
        flop = 2 * np.asarray(m.expert, float) * m.chosen * rows / s.chips
        return over_mean * flop / rates.expert_products

    all_read = np.asarray(m.expert, float) * m.experts / s.chips * s.expert_bytes
    more_read = np.maximum(all_read / rates.expert_bytes - ex.read_s, 0)
    is_split = np.asarray(s.chips) / np.where(_shares(s), 1, s.dp) > 1
    # Each replica that shares experts has as many rows as the longest of them.
    messages = np.where(is_split, _moved_s(s, rates, tokens * padded**2), 0.0)
    dense_s, expert_s = products(tokens), experts(tokens * s.dp * padded)
    work = dense_s + np.maximum(expert_s, has * more_read) + messages
    busy = device + work / np.maximum(has, 1e-9)
    launch = has * (longer(c.eager_s * m.layers, busy) - busy)
    once = np.asarray(s.prompt, float)
    alone = products(once) + np.maximum(experts(once * padded), more_read)
    alone = alone + np.where(is_split, _moved_s(s, rates, once * padded), 0.0)
    return _Prompts(
        mean_s=work + launch,
        alone_s=alone,
        in_median=1 / (1 + np.exp(-(has - 0.5) / MEDIAN_WIDTH)),
        products_s=dense_s + expert_s / over_mean,
        messages_s=messages,
        launch_s=launch,
        waiting_s=expert_s * (1 - 1 / over_mean),
    )
