"""Generation of our own trainer on one machine that `glam probe` measured: a pass at a time.

A pass gives a token to each text of a batch. It reads every weight that a token of them needs, in
32 bits, and starts the operations of its layers:

    seconds = whole + layers x dense + mixtures x mixture + bytes x seconds a byte

whose times a probe measured (`simulator.fit.answer_times`). A prompt is a pass with as many rows as
it has tokens, before its text joins the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from energy.arithmetic import multiply
from energy.errors import MissingDataError
from energy.facts.site import Site
from energy.footprint.account import Account, account, quantity_times
from energy.quantity import Origin, Quantity
from energy.shape import Shape
from simulator.fit.answer_times import FIX, AnswerTimes
from simulator.fit.machine import Machine
from simulator.serving.experts import touched
from simulator.serving.model import ServedModel

VALUE_BYTES = 4.0
"""Of a weight and of a value of the cache: generation computes in float32."""


@dataclass(frozen=True)
class Passes:
    """Seconds of the passes of a batch, by part.

    Attributes:
        layers: fixed time of a pass that decodes.
        weights: reading dense weights in it.
        experts: reading the experts that its tokens touch.
        cache: reading keys and values.
        prompt: the pass that reads one prompt.
        touched: share of the experts that a pass touches.
        tokens_per_s: of answers.
    """

    layers: float
    weights: float
    experts: float
    cache: float
    prompt: float
    touched: float
    tokens_per_s: float

    @property
    def decode(self) -> float:
        """Seconds between two tokens of a text."""
        return self.layers + self.weights + self.experts + self.cache


def passes(
    shape: Shape, times: AnswerTimes, *, batch: float, prompt: float, answer: float, spread: float
) -> Passes:
    """What answers take: each text is read once, and then gets a token of each pass.

    Args:
        shape: of the model.
        times: of the machine.
        batch: texts at a time.
        prompt: tokens of a prompt.
        answer: tokens of an answer, the first of which comes with the prompt.
        spread: of the popularity of experts, deviation over mean.
    """
    model = ServedModel.of(shape)
    share, (layers, dense, experts, cache) = _parts(
        model, times, batch, batch, prompt + answer / 2, spread
    )
    _, read = _parts(model, times, 1, prompt, prompt / 2, spread)
    of_a_group = batch * sum(read) + (answer - 1) * (layers + dense + experts + cache)
    return Passes(
        layers, dense, experts, cache, sum(read), share, batch * answer / max(of_a_group, 1e-12)
    )


def _parts(
    m: ServedModel, times: AnswerTimes, texts: float, rows: float, context: float, spread: float
) -> tuple[float, tuple[float, float, float, float]]:
    """Share of the experts that a pass touches, and its seconds by part."""
    whole, dense, mixture = times.layer_seconds(texts)
    layers, mixtures = float(m.layers), float(m.mixtures)
    fixed = whole + (layers - mixtures) * dense + mixtures * mixture
    read = (float(m.attention) + float(m.dense) + float(m.recurrence) + float(m.head)) * VALUE_BYTES
    share = float(touched(m.experts, m.chosen, rows, spread)) if mixtures else 0.0
    of_experts = float(m.expert_total) * share * VALUE_BYTES
    each = rows * float(m.chosen) / max(float(m.experts) * share, 1.0)
    total = read + of_experts
    kept = (float(m.cache_full) + float(m.cache_window)) * context * texts * VALUE_BYTES
    return share, (
        fixed,
        read * times.seconds_per_byte(rows, total),
        of_experts * times.seconds_per_byte(each, total),
        kept * times.seconds_per_byte(1, total),
    )


@dataclass(frozen=True, kw_only=True)
class OnMachine:
    """Answers of one machine.

    Attributes:
        name: of the model.
        machine: that was probed.
        batch: texts at a time.
        isl: tokens of a prompt.
        osl: tokens of an answer.
        passes: as predicted.
        quantities: by the names of `simulator serve`.
        account: of a token.
    """

    name: str
    machine: Machine
    batch: int
    isl: int
    osl: int
    passes: Passes
    quantities: dict[str, Quantity]
    account: Account[Quantity]


def on_machine(
    name: str,
    shape: Shape,
    machine: Machine,
    site: Site,
    *,
    batch: int,
    isl: int,
    osl: int,
    spread: float,
) -> OnMachine:
    """What a model of `glam train` spends when it answers on a machine.

    Raises:
        MissingDataError: the machine was probed before answers were.
    """
    if machine.answers is None:
        raise MissingDataError(
            "expected a machine whose answers were probed", "one of a former probe", FIX
        )
    result = passes(shape, machine.answers, batch=batch, prompt=isl, answer=osl, spread=spread)
    hardware, source = machine.hardware, "passes of a probed machine"
    quick, slow = hardware.time_relative

    def modelled(value: float, unit: str, relative: tuple[float, float]) -> Quantity:
        return Quantity.of(value, unit, source, Origin.MODELLED, relative=relative)

    of_a_token = modelled(1 / result.tokens_per_s, "s", (quick, slow))
    watts = Quantity.of(
        float(hardware.busy_w),
        "W",
        hardware.power_source,
        Origin.MODELLED,
        relative=hardware.power_relative,
    )
    joules = multiply(of_a_token, watts, "J")
    totals = account({hardware.power_boundary: joules}, site, quantity_times, of_a_token)
    quantities = {
        "j_per_token": joules,
        "j_per_request": joules.scaled(osl),
        "ttft_s": modelled(result.prompt, "s", (quick, slow)),
        "itl_s": modelled(result.decode, "s", (quick, slow)),
        "tokens_per_s": modelled(
            result.tokens_per_s, "1/s", (1 / (1 + slow) - 1, 1 / (1 + quick) - 1)
        ),
        "touched_share": Quantity.exact(
            result.touched, "1", "share of the experts that a pass reads", Origin.MODELLED
        ),
    }
    return OnMachine(
        name=name,
        machine=machine,
        batch=batch,
        isl=isl,
        osl=osl,
        passes=result,
        quantities=quantities,
        account=totals,
    )
