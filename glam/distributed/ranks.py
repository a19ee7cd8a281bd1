"""The processes of a run that a launcher such as torchrun has started, as one of them sees them."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from energy.arithmetic import add
from energy.errors import AccountingError, InputError
from energy.ledger.accounting import Snapshot
from energy.quantity import Quantity
from energy.shape import Shape
from glam.checkpoints.checkpoint import Checkpoint, load_checkpoint, newest, read_manifest
from glam.checkpoints.folder import require_whole
from glam.config import GlamConfig
from glam.distributed.degrees import Parallelism, Place, parameters_of_process
from glam.distributed.group import announce, everyone, group_of, store_of_group, wait_for
from glam.distributed.hang import Watch
from glam.distributed.layout import build_meshes, spread
from glam.distributed.meeting import require_alike
from glam.distributed.processes import Processes, Value, ledgers_in
from glam.distributed.saved import captured, own_part, restore
from glam.distributed.shared_folder import Sign, is_seen, sign_in
from glam.distributed.voice import Voice
from glam.distributed.weights import Weights
from glam.model.decoder import Glam, Output
from glam.moe.layer import MixtureOfExperts
from glam.moe.part import Part
from glam.moe.router import MEAN_FIELDS
from glam.precision import forget_all_copies

logger = logging.getLogger("glam")


LOSSES = ("loss", "vocabulary_z_loss", "auxiliary_loss", "z_loss")


class Ranks(Processes):
    """Several processes, of which each computes a part of every batch.

    Args:
        place: of this process.
        parallelism: the degrees of the run, whose product is the number of processes.
        device: of this process.
    """

    def __init__(self, place: Place, parallelism: Parallelism, device: torch.device) -> None:
        self.rank, self.ranks, self.attempt = place.rank, place.ranks, place.attempt
        self.parallelism = self._degrees = parallelism
        self._place, self._device = place, device
        self._meshes = build_meshes(parallelism, device)
        self._voice = Voice(self.rank, store_of_group())
        self._watch = Watch(self.rank, self.ranks, parallelism.timeout_s, self._voice)
        self._saving = dist.new_group(backend="gloo")
        self._weights: Weights | None = None
        self._waiting: Callable[[], AbstractContextManager[Any]] = nullcontext

    def folder(self, out: Path) -> Path:
        """Return rank-3/ in the folder of the run, for process 3."""
        return out / f"rank-{self.rank}"

    def require_shared(self, out: Path) -> None:
        """Check that all processes see the same folder of the run.

        Raises:
            InputError: in the first process: another does not.
            SystemExit: in the others.
        """
        with sign_in(out) if self.rank == 0 else nullcontext() as own:
            sign: Sign = self.by_first(lambda: cast(Sign, own))
            seen = self._gathered(is_seen(out, sign))
        if not all(seen):
            blind = ", ".join(str(rank) for rank, sees in enumerate(seen) if not sees)
            self._voice.say_once(
                InputError(
                    f"expected --out to be a folder that all processes share, {out}",
                    f"another one on rank {blind}",
                    "choose a folder of a file system that all machines mount",
                )
            )

    def require_same(self, facts: Mapping[str, Any]) -> None:
        """Check that all processes have read the same.

        Raises:
            InputError: in the first process: they have not.
            SystemExit: in the others.
        """
        require_alike(self.rank, self._gathered(dict(facts)))

    def parameters(self, shape: Shape) -> float:
        """Return how many parameters of a model this process has."""
        return parameters_of_process(self._degrees, shape)

    def build(self, config: GlamConfig, device: torch.device) -> Glam:
        """Return this process's part of a model with its initial weights, on its device.

        The weights are those of one process. Each is drawn whole and its part kept, one after the
        other, so that a model may be larger than the memory of a machine.
        """
        with torch.device("meta"):
            model = Glam.of(config)
        mean = self._mean_of_loads if self._degrees.balance == "global" else None
        for module in model.modules():
            if isinstance(module, MixtureOfExperts):
                module.route_part(Part(self.rank, self.ranks, mean))
        spread(model, self._degrees, self._meshes)
        model.to_empty(device=device)
        for buffer in model.buffers():
            buffer.zero_()
        self._weights = Weights(model, self._meshes)
        for weight, draw in zip(self._weights, model.initial_weights(), strict=True):
            whole = torch.empty(weight.parameter.shape)
            draw(whole)
            with torch.no_grad():
                weight.own.copy_(own_part(whole, weight))
        return model

    def weights(self, model: Glam) -> Weights:
        """Return the parts of the weights that this process trains."""
        return self._own

    @property
    def _own(self) -> Weights:
        assert self._weights is not None, "spread the model first"
        return self._weights

    def shards(self) -> Mapping[nn.Parameter, Any]:
        """Return how those of the weights are divided that are."""
        return self._own.shards()

    def own_part(self, micro_batch: Tensor) -> Tensor:
        """Return the sequences of a micro-batch that this process computes, in their order."""
        return micro_batch.chunk(self.ranks)[self.rank]

    def begin_step(self, step: int) -> None:
        """Note the step that this process begins."""
        self._watch.begin(step)

    def meter_waiting(self, window: Callable[[], AbstractContextManager[Any]]) -> None:
        """Open a window of the meter where this process waits for others.

        That is in messages of a few hundred bytes, whose time is nearly all waiting: those of
        losses and statistics after the backward pass, and on a CPU those of loads. Others count
        as work, although with shards and experts shared out some of their time is waiting too.
        """
        self._waiting = window

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Return a context in which a process that does not answer is named.

        An error of this process is said by the first.
        """
        with self._watch.watching(), self._voice.sharing():
            yield

    def ledgers(self, out: Path) -> list[Path]:
        """Return the folders of all ledgers of a run, once the others have closed theirs."""
        self.agree(False)
        return ledgers_in(out)

    def mean(self, output: Output) -> Output:
        """Return the output of a whole batch, in one message."""
        values = [getattr(output, name).detach() for name in LOSSES]
        for routing in output.routings:
            values += [getattr(routing, name).detach() for name in MEAN_FIELDS]
        flat = torch.cat([value.reshape(-1).float() for value in values])
        with self._waiting():
            flat = self._mean(flat)
        means: Iterator[Tensor] = iter(
            part.view(value.shape)
            for part, value in zip(flat.split([v.numel() for v in values]), values, strict=True)
        )
        losses = {name: next(means) for name in LOSSES}
        routings = [
            replace(routing, **{name: next(means) for name in MEAN_FIELDS})
            for routing in output.routings
        ]
        return Output(routings=routings, **losses)

    def sum_gradients(self) -> Tensor | None:
        """Sum the gradients of all processes, and return their norm."""
        return self._own.sum_gradients()

    def end_update(self) -> None:
        """Forget what an update has changed or used up."""
        self._own.clear_gradients()
        forget_all_copies()

    def spent(self, own: Snapshot) -> Snapshot:
        """Return the joules and watts of all processes; a device that several own counts once."""
        counted: dict[str, set[str]] = {}
        parts = []
        for host, snapshot in self._gathered((platform.node(), own)):
            known = counted.setdefault(host, set())
            parts.append(snapshot.without(known))
            known |= snapshot.devices
        energies, watts = ([getattr(p, name) for p in parts] for name in ("energy", "power_w"))
        return replace(own, energy=_sum(energies), power_w=_sum(watts))

    def agree(self, flag: bool) -> bool:
        """Return whether any process has set a flag."""
        flags = torch.tensor(float(flag), device=self._device)
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def by_first(self, work: Callable[[], Value]) -> Value:
        """Return the result of work that the first process does; its error ends all of them."""
        result: list[Any] = [None, None]
        if self.rank == 0:
            try:
                result[0] = work()
            except AccountingError as error:
                result[1] = error
        dist.broadcast_object_list(result, src=0, device=self._device)
        if result[1] is not None:
            self._voice.say_once(result[1])
        value: Value = result[0]
        return value

    def in_turn(self, work: Callable[[], Value]) -> Value:
        """Do work in the first process of each machine, then in the others, which find it done.

        However long it takes: no message waits for it.
        """
        done = f"done/{platform.node()}"
        if self._place.local_rank:
            wait_for(done, self._voice)
        result = work()
        announce(done)
        everyone(self.ranks, self._voice)
        return result

    def capture(
        self,
        step: int,
        config: GlamConfig,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        **facts: Any,
    ) -> Checkpoint:
        """Copy this process's part of weights and optimizer state."""
        tensors = captured(self._own, optimizer)
        return Checkpoint(step, config, tensors, group=self._saving, **facts)

    def latest_checkpoint(self, folder: Path) -> Checkpoint | None:
        """Return the newest valid checkpoint, which the first process chooses for all."""
        choice = self.by_first(lambda: newest(folder, _verified))
        if choice is None:
            return None
        return read_manifest(choice) if choice.is_dir() else load_checkpoint(choice)

    def restore(
        self, checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Return this process's part of model and optimizer to those of a checkpoint."""
        try:
            restore(checkpoint, self._own, optimizer, self._saving)
        except InputError as error:  # of what the checkpoint has, which all of them see
            self._voice.say_once(error)
        forget_all_copies()

    def _gathered(self, own: Value) -> list[Value]:
        """Return what each process has, in their order."""
        every: list[Any] = [None] * self.ranks
        dist.all_gather_object(every, own)
        return every

    def _mean_of_loads(self, loads: Tensor) -> Tensor:
        # A window within a pass would make a GPU wait for all that is queued.
        with self._waiting() if self._device.type == "cpu" else nullcontext():
            return self._mean(loads)

    def _mean(self, values: Tensor) -> Tensor:
        total = values.detach().clone()
        dist.all_reduce(total)
        return total.div_(self.ranks)


def _sum(parts: Sequence[Quantity]) -> Quantity:
    """Return the sum of those that are known; a process may own no device."""
    known = [part for part in parts if part.value is not None]
    return add(known, source="all processes") if known else parts[0]


@contextmanager
def ranks(
    place: Place, parallelism: Parallelism, device: torch.device, store: Any
) -> Iterator[Processes]:
    """Connect the processes of a run that have met at a store, and part them at its end."""
    if device.type == "cuda":
        torch.cuda.set_device(place.local_rank)
    with group_of(place, parallelism.timeout_s, device, store):
        processes = Ranks(place, parallelism, device)
        with processes.watching():
            yield processes


def _verified(path: Path) -> Path:
    """Return a checkpoint whose checksums are right."""
    if path.is_dir():
        require_whole(path)
        read_manifest(path)
    else:
        load_checkpoint(path)
    return path
