"""Real training steps on the GPU: what metering adds to one, and what compiling takes away.

The step is the trainer's: a mixture of experts or its dense twin of equal active FLOP, AdamW,
bfloat16 activations, dropless dispatch with grouped products.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.load import require_cuda
from benchmarks.gpu_check.stages import Report, Settings
from benchmarks.trainer.step import step_flop
from energy import Tracker
from energy.errors import InfeasibleError
from energy.shape import Shape
from energy.tracking import overhead as tracking

MIXTURE = Shape(
    n_layers=8,
    d_model=1024,
    n_heads=16,
    n_kv_heads=16,
    d_head=64,
    d_ff=4096,
    ffn_matrices=3,
    vocab_size=32_000,
    seq_len=1024,
    n_moe_layers=4,
    n_experts=16,
    top_k=2,
    d_expert=6144,
    relative_buckets=32,
)
"""0.92 billion parameters, of which a token passes through 0.22; with AdamW 15 GB."""

SMALL = Shape(
    n_layers=2,
    d_model=64,
    n_heads=2,
    n_kv_heads=2,
    d_head=32,
    d_ff=128,
    ffn_matrices=3,
    vocab_size=512,
    seq_len=64,
    n_moe_layers=1,
    n_experts=4,
    top_k=2,
    d_expert=192,
    relative_buckets=32,
)
"""For a rehearsal on a CPU."""

BATCHES = (16, 8, 4, 2, 1)
"""Sequences of a step: the first number that fits in memory."""

PAIRS, PAIRS_S = 40, 25.0
"""Pairs of a metered and an unmetered step, fewer if their steps would take longer than that."""

ROUNDS = 3
ROUND_S = 2.5
"""Seconds of steps of one way in one round."""

Step = Callable[[], None]


class Trained:
    """A model with its optimizer, and its steps as they are, compiled and as a CUDA graph.

    Args:
        shape: of the model.
        device: cuda or cpu.
        batch: sequences of a step.
    """

    def __init__(self, shape: Shape, device: str, batch: int) -> None:
        import torch

        from glam.config import Training
        from glam.device import choose_device, synchronizer
        from glam.model.decoder import Glam
        from glam.precision import choose_precision
        from glam.training.optimizer import build_optimizer

        self.device = choose_device(device)
        self.wait = synchronizer(self.device) or (lambda: None)
        self._training = Training(optimizer="adamw", learning_rate=1e-4)
        self._model = Glam(shape, precision=choose_precision("auto", self.device)).to(self.device)
        self._optimizer = build_optimizer(self._model, self._training)
        self._tokens = torch.randint(
            int(shape.vocab_size), (batch, int(shape.seq_len) + 1), device=self.device
        )

    def step(self, way: str) -> Step:
        """Passes and update; the device has done them when the call returns.

        Args:
            way: eager, compiled, or graph: both passes recorded once, in one CUDA graph.
        """
        import torch

        from glam.training.optimizer import update

        # On a CPU the compiler would take longer than the rest of a rehearsal: trace only.
        backend = "inductor" if self.device.type == "cuda" else "eager"
        model = torch.compile(self._model, backend=backend) if way == "compiled" else self._model
        passes: Step = partial(self._passes, model)
        if way == "graph":
            passes = self._recorded(passes)

        def run() -> None:
            passes()
            update(self._model, self._optimizer, self._training, step=1)
            self.wait()

        return run

    def _passes(self, model: Any) -> None:
        import torch

        from glam.training.optimizer import objective

        torch.autograd.backward(objective(model(self._tokens), self._training))

    def _recorded(self, passes: Step) -> Step:
        """Record passes in a CUDA graph, whose replay writes the same gradients again.

        Nothing in them waits for a value of the device, which a graph could not record.
        """
        import torch

        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries set themselves up before anything is recorded
            for _ in range(2):
                passes()
                self._optimizer.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            passes()
        gradients = [(weight, weight.grad) for weight in self._model.parameters()]

        def replay() -> None:
            graph.replay()
            for weight, gradient in gradients:
                weight.grad = gradient

        return replay


def overhead(settings: Settings, report: Report) -> None:
    """Measure what the tracker adds to the mixture's step, metered and unmetered in turn."""
    shape = _shape(settings)
    trained, batch = _largest(shape, settings, report)
    run = trained.step("eager")
    seconds = statistics.median(_timed(run) for _ in range(3))
    report(f"pairs of steps of {seconds * 1e3:.0f} ms", step_s=seconds, batch=batch)
    most = tracking.MIN_PAIRS if settings.short else PAIRS
    pairs = min(most, max(tracking.MIN_PAIRS, int(PAIRS_S / (2 * seconds))))
    with Tracker(Path(settings.out) / "overhead", meters=["nvml"]) as tracker:
        time.sleep(1.0)
        ratio = tracking.measure(tracker, run, pairs)
    report(relative=ratio.value, low=ratio.low, high=ratio.high, pairs=pairs)


def step(settings: Settings, report: Report) -> None:
    """Time steps of the dense twin and of the mixture, eager, compiled and as a graph, in turns."""
    mixture = _shape(settings)
    # What takes longest to compile comes last: a stage that is late keeps what it has reported.
    for kind, shape in (("dense twin", mixture.dense()), ("mixture", mixture)):
        report(f"{kind}: build")
        trained, batch = _largest(shape, settings, report)
        ways: dict[str, Step] = {}
        rows: dict[str, dict[str, Any]] = {}
        # A graph that cannot be recorded may spoil what comes after it.
        for way in ("eager", "compiled", *(["graph"] if trained.device.type == "cuda" else [])):
            report(f"{kind}, {way}: first step")
            try:
                run = trained.step(way)
                rows[way] = {"first_s": _timed(run)}
            except Exception as error:  # what cannot be compiled is a result
                rows[way] = {"why": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
                continue
            ways[way] = run
            out = Path(settings.out) / f"step-{kind.split()[0]}-{way}"
            for each, measured in _in_turns(ways, trained, settings, out).items():
                rows[each] |= measured | {
                    "batch": batch,
                    "tokens_per_s": batch * int(shape.seq_len) / measured["step_s"],
                    "flop_per_s": step_flop(shape, batch) / measured["step_s"],
                }
            report(**{kind: rows})
        report(**{kind: rows})
        del trained, ways, run
        _free()


def _in_turns(
    ways: dict[str, Step], trained: Trained, settings: Settings, out: Path
) -> dict[str, dict[str, Any]]:
    """Median seconds and mean joules of a step of each way; each has a turn in every round."""
    round_s = 0.2 if settings.short else ROUND_S
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    with Tracker(out, meters=["nvml"], sync=trained.wait) as tracker:
        for _ in range(ROUNDS):
            for way, run in ways.items():
                with tracker.window(way):
                    seconds[way] += list(_repeated(run, round_s))
    joules = {window.name: window.energy_j for window in tracker.record().windows}
    return {
        way: {
            "step_s": statistics.median(times),
            "steps": len(times),
            "step_j": joules[way].scaled(1 / len(times)).model_dump(mode="json"),
            **_peak_memory(trained),
        }
        for way, times in seconds.items()
    }


def _repeated(run: Step, seconds: float) -> Iterator[float]:
    """Seconds of each step until the time is over; at least one."""
    stop_s = time.perf_counter() + seconds
    while True:
        yield _timed(run)
        if time.perf_counter() >= stop_s:
            return


def _timed(run: Step) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def _shape(settings: Settings) -> Shape:
    if settings.device == "cuda":
        require_cuda()
    return SMALL if settings.short else MIXTURE


def _largest(shape: Shape, settings: Settings, report: Report) -> tuple[Trained, int]:
    """The model with the largest batch that fits; a step of it has run."""
    import torch

    for batch in BATCHES if settings.device == "cuda" else (2,):
        try:
            trained = Trained(shape, settings.device, batch)
            trained.step("eager")()
            return trained, batch
        except torch.OutOfMemoryError:
            report(f"{batch} sequences do not fit in memory")
            _free()
    raise InfeasibleError("expected the memory of a step of one sequence", "too little")


def _peak_memory(trained: Trained) -> dict[str, float]:
    import torch

    if trained.device.type != "cuda":
        return {}
    return {"peak_bytes": float(torch.cuda.max_memory_allocated())}


def _free() -> None:
    """Give back the memory of models that are no longer used."""
    import gc

    import torch

    gc.collect()
    torch.cuda.empty_cache()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
