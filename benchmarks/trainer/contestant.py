"""One contestant of `benchmarks.trainer.beside`, run as a file by the code that it measures.

What a former build of the project runs too imports nothing of this package: that build has other
modules, and no choice of a format or family. A contestant answers each line of input with a line of
JSON: processor seconds of one turn, and what the turn computed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

Turn = Callable[[], float]
FORMER = not (Path.cwd() / "glam/model/decoder.py").exists()
"""Whether the build in the working directory is from before its modules had folders."""


def our_model(shape: dict[str, Any], precision: str) -> Any:
    """Return a model of the plain family, which every build has."""
    from energy.shape import Shape

    if FORMER:
        from glam.model import Glam as FormerGlam  # type: ignore[attr-defined]

        return FormerGlam(Shape(**shape))
    from glam.architecture import PLAIN
    from glam.model.decoder import Glam

    return Glam(Shape(**shape), architecture=PLAIN, precision=precision)  # type: ignore[arg-type]


def our_step(case: dict[str, Any]) -> Turn:
    """Return a training step that returns its loss."""
    from glam.config import Training

    module = import_module("glam.optim" if FORMER else "glam.training.optimizer")
    model, training = our_model(case["shape"], case["precision"]), Training(optimizer="adamw")
    optimizer, tokens = module.build_optimizer(model, training), _tokens(case)

    def turn() -> float:
        output = model(tokens)
        (output.loss + training.auxiliary_weight * output.auxiliary_loss).backward()
        module.update(model, optimizer, training, step=1)
        return float(output.loss.detach())

    return turn


def mixtral(case: dict[str, Any], *, window: int = 0) -> Any:
    """Return transformers' model of equal active FLOP: gated experts of 2/3 the width."""
    from transformers import MixtralConfig, MixtralForCausalLM

    shape = case["shape"]
    return MixtralForCausalLM(
        MixtralConfig(
            vocab_size=shape["vocab_size"],
            hidden_size=shape["d_model"],
            intermediate_size=shape["d_expert"] * 2 // 3,
            num_hidden_layers=shape["n_layers"],
            num_attention_heads=shape["n_heads"],
            num_key_value_heads=shape["n_kv_heads"],
            num_local_experts=shape["n_experts"],
            num_experts_per_tok=shape["top_k"],
            tie_word_embeddings=True,
            output_router_logits=not window,
            use_cache=bool(window),
            max_position_embeddings=max(window, shape["seq_len"]),
        )
    )


def mixtral_step(case: dict[str, Any]) -> Turn:
    """Return a training step of transformers' model, in bfloat16 under autocast."""
    model = mixtral(case).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    text, half = _tokens(case)[:, :-1], case["precision"] == "bfloat16"

    def turn() -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = model(input_ids=text, labels=text).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return turn


def our_text(case: dict[str, Any]) -> Turn:
    """Return a greedy generation that returns a number that its tokens determine."""
    model, window = our_model(case["shape"], "float32").eval(), case["shape"]["seq_len"]
    prompt = _tokens(case)[0, : window - case["new"]].tolist()

    def next_logits() -> Callable[[list[int]], torch.Tensor]:
        if FORMER:
            return lambda ids: model.logits(torch.tensor([ids[-window:]]))[0]
        from glam.generation.next_logits import NextLogits

        logits_after = NextLogits(model)
        return lambda ids: logits_after([ids])[0]

    def turn() -> float:
        logits_of, ids = next_logits(), list(prompt)
        with torch.no_grad():
            for _ in range(case["new"]):
                ids.append(int(logits_of(ids).argmax()))
        return float(sum(place * token for place, token in enumerate(ids)) % 100_003)

    return turn


def mixtral_text(case: dict[str, Any]) -> Turn:
    """Return a greedy generation of transformers' model with its cache."""
    window = case["shape"]["seq_len"]
    model = mixtral(case, window=window).eval()
    prompt = _tokens(case)[:1, : window - case["new"]]

    def turn() -> float:
        new = {"max_new_tokens": case["new"], "min_new_tokens": case["new"], "do_sample": False}
        ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), pad_token_id=0, **new)
        return float(ids.sum() % 100_003)

    return turn


def _tokens(case: dict[str, Any]) -> torch.Tensor:
    shape, generator = case["shape"], torch.Generator().manual_seed(0)
    size = (case["batch"], shape["seq_len"] + 1)
    return torch.randint(shape["vocab_size"], size, generator=generator)


def layer(case: dict[str, Any]) -> Turn:
    """Return a layer in bfloat16, forward and backward; the former build has none."""
    from benchmarks.trainer.layer import HALF_WEIGHTS, LENGTH, SEQUENCES, turn_of
    from benchmarks.trainer.peers import in_bfloat16

    width, name = case["width"], case["layer"]
    module = in_bfloat16(name, width, case["experts"])
    form = torch.bfloat16 if name in HALF_WEIGHTS else torch.float32
    x = torch.randn(SEQUENCES, LENGTH, width, dtype=form, requires_grad=True)
    output = module(x)
    output = output[0] if isinstance(output, tuple) else output
    run = turn_of(module, x, torch.randn_like(output))

    def turn() -> float:
        run()
        return 0.0

    return turn


KINDS: dict[str, Callable[[dict[str, Any]], Turn]] = {
    "step": our_step,
    "mixtral step": mixtral_step,
    "text": our_text,
    "mixtral text": mixtral_text,
    "layer": layer,
}


def main() -> None:
    """Build the contestant of the case on the command line, warm it up, and answer."""
    # A former build has it in another place.
    module = "energy.allocator" if find_spec("energy.allocator") else "glam.device"
    import_module(module).keep_freed_memory()
    case = json.loads(sys.argv[1])
    torch.manual_seed(0)
    turn = KINDS[case["kind"]](case)
    turn()
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        begun = time.process_time()
        result = turn()
        answer = {"seconds": time.process_time() - begun, "result": result}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
