"""Answers of trained models: tokens a second as predicted from a probe, and as measured.

    python -m benchmarks.simulator.answers RUN [RUN ...] [--probe FILE] [--json] [--page FILE]

Probes this machine (or reads a probe of it), predicts what each model gives at each batch, and then
lets it answer: batches in turns, the median of three. Prompts are 16 random tokens, answers 96, so
that all windows hold both. The share of its cores that the process had stands beside: below 90 %
the measured seconds are those of other work, too.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.pages import markdown_table, print_table, write_between
from energy.console import print_json
from energy.guard import guard
from energy.units import significant
from glam.generation.growing import Text, grow
from glam.generation.loading import Trained, load_trained
from glam.probing.probe import probe
from simulator.fit.answer_times import AnswerTimes
from simulator.fit.probe_rows import read_probe
from simulator.serving.fitted import shipped_fit
from simulator.serving.on_machine import passes

BATCHES = (1, 2, 4, 8, 16)

PROMPT, ANSWER = 16, 96

ROUNDS = 3

HEADS = ("model", "batch", "predicted tokens/s", "measured", "error", "share of its cores")


@dataclass(frozen=True)
class Line:
    """A model at a batch."""

    model: str
    batch: int
    predicted: float
    measured: float
    share: float

    @property
    def error(self) -> float:
        """Predicted over measured, less 1."""
        return self.predicted / self.measured - 1


class Random(Text):
    """A text of so many random tokens, continued by the likeliest ones."""

    def __init__(self, seed: int, vocabulary: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        super().__init__(torch.randint(5, vocabulary, (PROMPT,), generator=generator).tolist())

    def has_ended(self) -> bool:
        """Whether the answer has its length."""
        return len(self.ids) == PROMPT + ANSWER


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of glam train")
    parser.add_argument("--probe", type=Path, help="of glam probe; by default made now")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", type=Path, help="page to write the table into")
    options = parser.parse_args()
    models = [load_trained(path) for path in options.runs]
    table = read_probe(options.probe) if options.probe else probe("cpu")
    times = AnswerTimes.of_probe(table)
    assert times is not None
    lines = [line for model in models for line in compare(model, times)]
    median = statistics.median(abs(line.error) for line in lines)
    if options.json:
        print_json({"lines": [vars(line) | {"error": line.error} for line in lines]})
        return
    rows = [_row(line) for line in lines]
    words = f"Median error {median:.1%} of {len(lines)} rows."
    if options.page:
        where = f"{platform.machine()}, {torch.get_num_threads()} threads"
        when = f"{datetime.now(UTC):%Y-%m-%d}"
        words += f" {table['machine']['name']} ({where}), {when}."
        text = f"{markdown_table(HEADS, rows)}\n\n{words}"
        write_between(options.page, "answers: benchmarks.simulator.answers", text)
    print_table(HEADS, rows)
    print(words)


def compare(model: Trained, times: AnswerTimes) -> list[Line]:
    """A model at each batch: predicted, and measured in turns."""
    spread = float(shipped_fit().constants.spread)
    measured: dict[int, list[tuple[float, float]]] = {batch: [] for batch in BATCHES}
    for _ in range(ROUNDS):
        for batch in BATCHES:
            measured[batch].append(answer(model, batch))
    return [
        Line(
            model=model.config.name,
            batch=batch,
            predicted=passes(
                model.config.shape, times, batch=batch, prompt=PROMPT, answer=ANSWER, spread=spread
            ).tokens_per_s,
            measured=statistics.median(rate for rate, _ in measured[batch]),
            share=min(share for _, share in measured[batch]),
        )
        for batch in BATCHES
    ]


def answer(model: Trained, batch: int) -> tuple[float, float]:
    """Tokens a second of a batch of answers, and the share of its cores that the process had."""
    vocabulary = int(model.config.shape.vocab_size)
    texts = [Random(seed, vocabulary) for seed in range(batch)]
    start, used = time.perf_counter(), time.process_time()
    for _ in grow(model.model, texts, batch):
        pass
    elapsed = time.perf_counter() - start
    share = (time.process_time() - used) / (elapsed * torch.get_num_threads())
    return batch * ANSWER / elapsed, share


def _row(line: Line) -> Sequence[str]:
    return (
        line.model,
        str(line.batch),
        significant(line.predicted),
        significant(line.measured),
        f"{line.error:+.0%}",
        f"{line.share:.0%}",
    )


if __name__ == "__main__":
    guard(main)
