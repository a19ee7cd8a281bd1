"""Every layout of a few processes against one process, in one launch.

    torchrun --nproc-per-node 2 -m benchmarks.distributed.worker --steps 50 --out /tmp/layouts

The first process prints a line of JSON for each layout, model and dispatch. It also trains each
model alone, on the whole batches, so that nothing but the layout differs.
`benchmarks.distributed.equality` starts it and keeps the lines.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from energy.ledger.accounting import snapshot
from energy.shape import Shape
from glam.checkpoints.checkpoint import read_manifest
from glam.checkpoints.folder import load_tensors
from glam.checkpoints.writer import CheckpointWriter
from glam.config import Dispatch, GlamConfig
from glam.data.corpus import Domain, TokenCorpus
from glam.distributed.degrees import Parallelism, Place, place, require_degrees
from glam.distributed.group import group_of
from glam.distributed.processes import Processes
from glam.distributed.ranks import Ranks
from glam.distributed.traffic import counted
from glam.family import default_architecture
from glam.moe.router import Router, Routing
from glam.recipe import Training
from glam.training.optimizer import build_optimizer
from glam.training.setup import Setup
from glam.training.state import State
from glam.training.stop import EarlierAttempts
from glam.training.trainer import Trainer

DENSE: dict[str, Any] = {
    "n_layers": 4,
    "d_model": 32,
    "n_heads": 2,
    "n_kv_heads": 2,
    "d_head": 16,
    "d_ff": 64,
    "ffn_matrices": 3,
    "vocab_size": 512,
    "seq_len": 16,
    "relative_buckets": 32,
}
EXPERTS: dict[str, Any] = {"n_moe_layers": 2, "n_experts": 8, "top_k": 2, "d_expert": 24}
SHAPES = {
    "dense": Shape(**DENSE),
    "mixture": Shape(**DENSE, **EXPERTS),
    "two experts": Shape(**DENSE, **EXPERTS | {"n_experts": 2, "top_k": 1}),
    "biased mixture": Shape(**DENSE, **EXPERTS),
}
"""Two experts are fewer than four processes, so that shards divide their hidden width. The last
mixture is balanced by biases of its routers."""

SEQUENCES, MICRO_BATCHES = 16, 2
"""Of the global batch."""

PATIENCE_S = 900.0
"""Others wait as long while the first process trains alone, on a machine that others use too."""

RECIPES: dict[str, dict[str, Any]] = {
    "adafactor": {"optimizer": "adafactor", "learning_rate": 0.002},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.0005, "warmup_steps": 5},
}
"""Learning rates at which the loss falls by more than a tenth in 50 steps."""


@dataclass(frozen=True)
class Case:
    """What is trained, and how it is spread."""

    model: str
    dispatch: str
    recipe: str
    layout: str
    parallelism: Parallelism

    @property
    def name(self) -> str:
        """The case in words, among those of as many processes."""
        return f"{self.recipe}: {self.layout}, {self.model}, {self.dispatch}"


class NoMeter:
    """A tracker that measures nothing."""

    def window(self, name: str, phase: str) -> Any:
        """Return a window that does nothing."""
        return nullcontext()

    def mark(self, *_: Any, **__: Any) -> None:
        """Leave no mark."""

    def add_flop(self, count: float) -> None:
        """Count nothing."""

    def snapshot(self) -> Any:
        """Return what no ledger has spent."""
        return snapshot([], "", 0.0)


def main() -> None:
    """Compare the layouts, as one of the processes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    parser.add_argument("--only", nargs="*", help="names of cases; all by default")
    parser.add_argument("--out", type=Path, required=True, help="new folder, for checkpoints")
    options = parser.parse_args()
    here = place() or Place()
    torch.set_num_threads(1)
    with group_of(here, PATIENCE_S, torch.device("cpu")):
        for case in cases(here.ranks, options.recipes):
            if options.only and case.name not in options.only:
                continue
            row = compare(here, case, options.steps, options.out)
            if here.rank == 0:
                print(json.dumps(row), flush=True)


def cases(ranks: int, recipes: list[str]) -> Iterator[Case]:
    """Yield every layout of so many processes, for mixture and dense, with and without drops.

    A dense model has no experts to share out, and nothing to drop.
    """
    layouts = {
        "data": Parallelism(),
        "FSDP2": Parallelism(shard=True),
        "expert": Parallelism(expert=ranks),
        "expert + FSDP2": Parallelism(expert=min(2, ranks), shard=True),
    }
    for recipe in recipes:
        for name, layout in layouts.items():
            for dispatch in ("dropless", "gshard"):
                yield Case("mixture", dispatch, recipe, name, layout)
            if not name.startswith("expert"):
                yield Case("dense", "dropless", recipe, name, layout)
            if name in ("data", "expert + FSDP2"):
                yield Case("biased mixture", "dropless", recipe, name, layout)
            if ranks > int(SHAPES["two experts"].n_experts) and layout.shard:
                yield Case("two experts", "dropless", recipe, name, layout)


@dataclass(frozen=True)
class Step:
    """What a step has computed.

    Attributes:
        loss: of the whole batch.
        gradient_norm: of all weights together.
        choices: the experts of each pass of each router, in order.
    """

    loss: float
    gradient_norm: float
    choices: list[torch.Tensor]


@cache
def alone(here: Place, model: str, dispatch: str, recipe: str, steps: int) -> list[Step]:
    """Return the steps of one process, which the first one computes for all."""
    done: list[Any] = [None]
    if here.rank == 0:
        case = Case(model, dispatch, recipe, "one process", Parallelism())
        done = [steps_of(trainer_of(configuration(case, steps), Processes()), steps)]
    dist.broadcast_object_list(done)
    result: list[Step] = done[0]
    return result


def compare(here: Place, case: Case, steps: int, out: Path) -> dict[str, Any]:
    """Return the largest relative differences of a layout to one process, over some steps."""
    config = configuration(case, steps)
    expected = alone(here, case.model, case.dispatch, case.recipe, steps)
    degrees = require_degrees(case.parallelism, here.ranks, config)
    several = trainer_of(config, Ranks(here, degrees, torch.device("cpu")))
    pairs = list(zip(steps_of(several, steps), expected, strict=True))
    other = [
        number
        for number, (ours, theirs) in enumerate(pairs, 1)
        if not all(equal_parts(here, *p) for p in zip(ours.choices, theirs.choices, strict=True))
    ]
    return {
        "case": case.name,
        "ranks": here.ranks,
        "model": case.model,
        "dispatch": case.dispatch,
        "recipe": case.recipe,
        "layout": case.layout,
        "degrees": f"{degrees.expert} x {degrees.data}",
        "steps": steps,
        "loss_falls_by": 1 - expected[-1].loss / expected[0].loss,
        "loss": max(abs(ours.loss / theirs.loss - 1) for ours, theirs in pairs),
        "gradient_norm": max(
            abs(ours.gradient_norm / theirs.gradient_norm - 1) for ours, theirs in pairs
        ),
        "steps_with_other_experts": other,
        "rewritten_bit_equal": rewritten_equal(here, case, several, out),
        "bytes_of_messages": bytes_of_messages(several),
    }


def bytes_of_messages(trainer: Trainer) -> dict[str, float]:
    """Return the bytes of a step's messages by kind and format, the mean over the processes.

    Without those of the optimizer: Adafactor adds up its means over shards.
    """
    weights = trainer.processes.weights(trainer.model)
    trainer.optimizer = torch.optim.AdamW(weights.parameters(), lr=0.0, fused=True)
    with counted() as messages:
        trainer.step()
    every: list[Any] = [None] * trainer.processes.ranks
    dist.all_gather_object(every, [(f"{m.kind} {m.dtype}", m.bytes) for m in messages])
    total: Counter[str] = Counter()
    for own in every:
        for name, size in own:
            total[name.replace("torch.", "")] += size
    return {name: size / len(every) for name, size in total.items()}


def rewritten_equal(here: Place, case: Case, trainer: Trainer, out: Path) -> bool:
    """Whether a checkpoint is the same once another layout has read and written it."""
    first = saved(trainer, out / "first")
    degrees = replace(case.parallelism, expert=1, shard=not case.parallelism.shard)
    config = trainer.config
    other = trainer_of(
        config, Ranks(here, require_degrees(degrees, here.ranks, config), torch.device("cpu"))
    )
    other.restore(read_manifest(first))
    before, after = (load_tensors(path) for path in (first, saved(other, out / "second")))
    return before.keys() == after.keys() and all(
        tensor.equal(after[name]) for name, tensor in before.items()
    )


def saved(trainer: Trainer, folder: Path) -> Path:
    """Write the state of a trainer with all processes."""
    step, config = trainer.state.step, trainer.config
    checkpoint = trainer.processes.capture(step, config, trainer.model, trainer.optimizer)
    return checkpoint.write(folder)


def configuration(case: Case, steps: int) -> GlamConfig:
    """Return the configuration of a small run whose dispatch groups suit up to four processes."""
    training = Training(
        steps=steps + 2,
        batch_sequences=SEQUENCES,
        gradient_accumulation=MICRO_BATCHES,
        log_every=steps + 3,
        checkpoint_every=0,
        precision="float32",
        device="cpu",
        threads=1,
        **RECIPES[case.recipe],
    )
    dispatch = Dispatch(kind=case.dispatch, group_tokens=32)  # type: ignore[arg-type]
    shape = SHAPES[case.model]
    # A ReLU of 1e-9 or of -1e-9 has another gradient, as a router has another expert there.
    architecture = replace(default_architecture(shape), expert_activation="gelu")
    if case.model == "biased mixture":
        architecture = replace(architecture, router_bias_step=0.01)
    return GlamConfig(
        name="layouts",
        shape=shape,
        training=training,
        dispatch=dispatch,
        architecture=architecture,
    )


def trainer_of(
    config: GlamConfig, processes: Processes, text: TokenCorpus | None = None
) -> Trainer:
    """Return a trainer at step 0, of random tokens by default."""
    model = processes.build(config, torch.device("cpu"))
    weights = processes.weights(model)
    optimizer = build_optimizer(weights, config.training, processes.shards())
    folder = Path(tempfile.mkdtemp(dir=scratch().name))
    text = text or corpus(config)
    setup = Setup(config, folder, torch.device("cpu"), text, 1e12, EarlierAttempts())
    writer = CheckpointWriter(folder)
    return Trainer(setup, model, optimizer, State(), NoMeter(), writer, processes)


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """The folder of what trainers of this process write; it goes with the process."""
    return tempfile.TemporaryDirectory(prefix="layouts-")


def corpus(config: GlamConfig) -> TokenCorpus:
    """Return random tokens, of which some are frequent, so that there is something to learn."""
    vocab = int(config.shape.vocab_size)
    return of_tokens(np.random.default_rng(0).zipf(1.3, 100_000) % vocab, vocab)


def of_tokens(tokens: NDArray[Any], vocab: int) -> TokenCorpus:
    """Return a corpus of these tokens."""
    domain = Domain("random", 1.0, {"train": tokens, "validation": tokens})
    return TokenCorpus(cast(Any, range(vocab)), (domain,))


def steps_of(trainer: Trainer, steps: int) -> list[Step]:
    """Do steps; return what each has computed."""
    choices: list[torch.Tensor] = []

    def keep(_: Any, __: Any, routing: Routing) -> None:
        choices.append(routing.experts)

    routers = [module for module in trainer.model.modules() if isinstance(module, Router)]
    hooks = [router.register_forward_hook(keep) for router in routers]
    done = []
    for _ in range(steps):
        choices.clear()
        trainer.step()
        done.append(Step(trainer.state.loss, trainer.state.gradient_norm, list(choices)))
    for hook in hooks:
        hook.remove()
    return done


def equal_parts(here: Place, own: torch.Tensor, whole: torch.Tensor) -> bool:
    """Whether all processes chose the experts that one process chose for their parts."""
    same = torch.tensor(float(own.equal(whole.chunk(here.ranks)[here.rank])))
    dist.all_reduce(same, dist.ReduceOp.MIN)
    return bool(same)


if __name__ == "__main__":
    main()
