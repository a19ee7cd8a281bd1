"""Items a second of our model and of a Mixtral in lm-eval's own adapter, on the same requests.

    python -m benchmarks.evaluation RUN ITEMS.jsonl [--items 40] [--turns 3]

Both models have random or barely trained weights, the same tokenizer, float32 and equal forward
FLOP a token; the Mixtral's experts are widened or narrowed for that. Each side runs at the best of
its batches, in turns; processor seconds of the median turn are compared.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models
from transformers import MixtralConfig, MixtralForCausalLM, PreTrainedTokenizerFast

from energy.flops import forward_flop
from energy.shape import Shape
from glam.evaluation.model import GlamLM
from glam.evaluation.run import load_subject

BATCHES = {"glam": (512, 1024, 2048), "mixtral": (1, 8, 16, 32)}
"""Tokens of a batch of ours, and sequences of one of theirs, that are tried."""

WIDTH_STEP = 8
"""Widths of experts are multiples of it, as torch's grouped products want rows of 16 bytes."""


class Adapter(HFLM):  # type: ignore[misc]
    """lm-eval's adapter with the tokenizer of a run."""

    def __init__(self, model: Any, encode: Any, batch: int) -> None:
        words = Tokenizer(models.WordLevel({"<end>": 0}, unk_token="<end>"))
        build: Any = PreTrainedTokenizerFast
        fast = build(
            tokenizer_object=words, eos_token="<end>", pad_token="<end>", unk_token="<end>"
        )
        super().__init__(model, tokenizer=fast, batch_size=batch)
        self._encode = encode

    def tok_encode(self, string: str, add_special_tokens: Any = None, **_: Any) -> list[int]:
        """Return the tokens of a text, as the run has them."""
        tokens: list[int] = self._encode(string)
        return tokens


def mixtral(shape: Shape) -> Any:
    """A Mixtral with as many layers, heads, experts and forward FLOP a token as a shape."""
    every = replace(
        shape, n_moe_layers=shape.n_layers, ffn_matrices=3, expert_matrices=3, d_expert=WIDTH_STEP
    )
    ours, least = (float(sum(forward_flop(each).values())) for each in (shape, every))
    step = 6.0 * float(shape.n_layers * shape.top_k * shape.d_model) * WIDTH_STEP
    width = WIDTH_STEP * (1 + round((ours - least) / step))
    config = MixtralConfig(
        vocab_size=int(shape.vocab_size),
        hidden_size=int(shape.d_model),
        intermediate_size=int(width),
        num_hidden_layers=int(shape.n_layers),
        num_attention_heads=int(shape.n_heads),
        num_key_value_heads=int(shape.n_heads),
        num_local_experts=int(shape.n_experts),
        num_experts_per_tok=int(shape.top_k),
        max_position_embeddings=int(shape.seq_len),
        tie_word_embeddings=True,
    )
    model: Any = MixtralForCausalLM(config)
    return model.eval()


def requests(path: Path, count: int) -> list[Instance]:
    """All options of the first items of a file of choices."""
    items = [json.loads(line) for line in path.read_text().splitlines()[:count]]
    return [
        Instance("loglikelihood", {}, (f"{item['query']}\nAnswer:", f" {option}"), number)
        for item in items
        for number, option in enumerate(item["choices"])
    ]


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--items", dest="count", type=int, default=40)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    subject = load_subject(options.run, "cpu").model
    shape = subject.model.shape
    theirs = mixtral(shape)
    contestants: dict[str, Any] = {
        f"glam {batch}": GlamLM(subject.model, subject.tokenizer, batch)
        for batch in BATCHES["glam"]
    } | {
        f"mixtral {batch}": Adapter(theirs, subject.tokenizer.encode, batch)
        for batch in BATCHES["mixtral"]
    }
    batch = requests(options.items, options.count)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.turns):
        for name, model in contestants.items():
            begun = time.process_time()
            model.loglikelihood(batch, disable_tqdm=True)
            seconds[name].append(time.process_time() - begun)
    rates = {name: options.count / median(turns) for name, turns in seconds.items()}
    best = {
        side: max(rate for name, rate in rates.items() if name.startswith(side)) for side in BATCHES
    }
    document = {
        "forward_flop": float(sum(forward_flop(shape).values())),
        "expert_width": theirs.config.intermediate_size,
        "threads": torch.get_num_threads(),
        "items_per_processor_s": rates,
        "ratio": best["glam"] / best["mixtral"],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
