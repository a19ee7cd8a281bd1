"""A step of reinforcement learning: answers are generated, scored, and trained on, in turns.

All chips do each part, one after the other (arXiv:2409.19256, colocated): they generate with the
service that is fastest, which may fill their memory, as the states of training wait on the host;
forward passes give log-probabilities of the answers; then the policy is trained. Stragglers of the
generation, rewards, and the way of the weights from one layout to the other are in no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from energy.errors import InfeasibleError, InputError
from energy.facts import catalog
from energy.flops import Convention
from energy.quantity import Origin, Quantity
from energy.shape import total
from energy.units import si
from simulator.physics.power import chip_watts
from simulator.physics.step import step
from simulator.physics.workload import Workload, model_flop
from simulator.runs.estimate import Estimate, Phase, estimate
from simulator.runs.setup import Setup
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.workload import USUAL_FORWARDS, WorkloadSection
from simulator.serving.fitted import Fitted, shipped_fit
from simulator.serving.model import ServedModel
from simulator.serving.predict import Served, serve
from simulator.serving.request import problems
from simulator.serving.service import WEIGHT_BYTES, Board, Service, formats

MOST_CHIPS_OF_A_SERVICE = 128


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How the answers of a step are generated.

    Attributes:
        served: one of the equal services.
        services: how many of them.
        seconds: until all answers are there, at the steady rate.
    """

    served: Served
    services: int
    seconds: float

    def in_words(self) -> str:
        """The services, and what they hold."""
        service, room = self.served.service, self.served.room
        cache = room.sequence_bytes * service.sequences
        return (
            f"generation: {self.services:,} services of tp {float(service.sliced):g}, "
            f"{float(service.batch):,.0f} answers at a time in each; "
            f"{si(float(room.weight_bytes), 'B')} of weights and {si(float(cache), 'B')} of cache "
            "a chip, while the states of training wait on the host"
        )


def reinforcement(scenario: Scenario) -> Estimate:
    """One step of a scenario whose workload is rl: its generation and forwards before its training.

    Raises:
        InputError: it is of a calibrated machine, whose generation nobody measured.
        InfeasibleError: no plan of the training fits, or no service of the generation.
    """
    if scenario.hardware.chip is None:
        raise InputError(
            "expected a chip of the catalog, whose generation can be predicted",
            "a calibrated machine",
            "name it with hardware.chip",
        )
    own = scenario.workload
    of_training = WorkloadSection(
        kind="fine-tuning" if own.rank is None else "lora",
        sample_tokens=(own.prompt_tokens or 0) + (own.answer_tokens or 0),
        filled=own.filled,
        rank=own.rank,
        modules=own.modules,
    )
    training = estimate(Setup.of(scenario.model_copy(update={"workload": of_training})))
    forwards = USUAL_FORWARDS if own.forwards is None else own.forwards
    fitted = shipped_fit()
    generation = _generation(training, own, fitted)
    phases = (_generated(training, generation, fitted), *_scored(training, forwards))
    times = np.array([phase.seconds.numbers()[0] for phase in phases] + [training.step.step_s])
    watts = np.array([phase.chip_w for phase in phases] + [training.chip_w])
    notes = (
        *(note for note in training.notes if not note.startswith("workload: ")),
        own.in_words(),
        generation.in_words(),
    )
    return replace(
        training,
        setup=replace(training.setup, scenario=scenario),
        before=phases,
        chip_w=float(times @ watts / times.sum()),
        notes=notes,
    )


def _generated(training: Estimate, generation: Generation, fitted: Fitted) -> Phase:
    """The generation: a forward pass for each token, at the rate of a service."""
    low, high = fitted.relative(training.setup.kind, "itl_s")
    seconds = Quantity.of(
        generation.seconds,
        "s",
        "answers of a step / answers a second of all services",
        Origin.MODELLED,
        relative=(low, high),
    )
    flop = _forward(training)
    return Phase("generation", seconds, flop, flop["causal"], float(generation.served.draw.chip_w))


def _scored(training: Estimate, forwards: int) -> Iterator[Phase]:
    """The forward passes, in the layout of the training."""
    if not forwards:
        return
    setup = training.setup
    plan = replace(training.plan, trained="none", recompute="none")
    alone = step(setup.shape, plan, setup.hardware, setup.constants)
    seconds = Quantity.of(
        float(alone.step_s) * forwards,
        "s",
        f"simulator.physics.step, {forwards} times forward",
        Origin.MODELLED,
        relative=alone.relative,
    )
    yield Phase(
        "log_probabilities",
        seconds,
        {of: forwards * count for of, count in _forward(training).items()},
        forwards * float(total(alone.executed_flop)) * setup.chips,
        float(chip_watts(alone, setup.hardware, setup.constants)),
    )


def _forward(training: Estimate) -> dict[Convention, float]:
    """Model FLOP of one forward pass over the tokens of a step, all chips."""
    setup = training.setup
    work = Workload(trained="none", sample=training.plan.sample)
    tokens = setup.tokens / setup.steps
    conventions: tuple[Convention, ...] = ("causal", "full")
    return {of: float(total(model_flop(setup.shape, work, of))) * tokens for of in conventions}


def _generation(training: Estimate, own: WorkloadSection, fitted: Fitted) -> Generation:
    """The services, all alike, that generate the answers of a step in the least time.

    64 answers of 2,048 tokens on 8 services of 100 tokens/s: 8 * 2,048 / 100 = 164 s.

    Raises:
        InfeasibleError: the model fits in no service.
    """
    setup, known = training.setup, []
    prompt, answer = own.prompt_tokens or 1.0, own.answer_tokens or 1.0
    answers = setup.tokens / setup.steps / (prompt + answer)
    for service in _services(setup, prompt, answer):
        services = setup.chips / float(service.chips)
        each = answers / services
        most = float(serve(replace(service, batch=1.0), fitted.constants).room.largest_batch)
        batch = min(max(each, 1.0), most)
        filled = replace(service, batch=batch)
        tp, ep = int(service.chips), int(service.ep)
        if batch < 1 or any(problems(filled, setup.shape, tp, ep, 1)):
            continue
        served = serve(filled, fitted.constants)
        seconds = max(each, 1.0) * answer / float(served.tokens_per_s)
        known.append(Generation(served=served, services=int(services), seconds=seconds))
    if not known:
        raise InfeasibleError(
            f"expected a service of at most {MOST_CHIPS_OF_A_SERVICE} chips that fits the model",
            f"none of {setup.chips:,} {setup.hardware.name}",
            "more chips, or a chip with more memory",
        )
    return min(known, key=lambda generation: generation.seconds)


def _services(setup: Setup, prompt: float, answer: float) -> Iterator[Service]:
    """Services of powers of two of chips, of which the run has a whole number."""
    assert setup.scenario.hardware.chip is not None
    precision = setup.scenario.hardware.precision
    model, board = ServedModel.of(setup.shape), Board.of(catalog.chip(setup.scenario.hardware.chip))
    stored = precision if precision in WEIGHT_BYTES else "bf16"
    chips = 1
    while chips <= min(setup.chips, MOST_CHIPS_OF_A_SERVICE):
        if setup.chips % chips == 0 and int(setup.shape.n_heads) % chips == 0:
            yield Service(
                model=model,
                board=board,
                chips=float(chips),
                dp=1.0,
                ep=float(np.gcd(chips, int(setup.shape.n_experts))),
                batch=1.0,
                prompt=prompt,
                answer=answer,
                **formats(stored, is_mixture=setup.kind == "moe"),
            )
        chips *= 2
