"""From the paths of checkpoints to the study of their experts, and how it grew over training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from energy.errors import InputError
from glam.checkpoints.checkpoint import Checkpoint, checkpoints, is_checkpoint, load_checkpoint
from glam.config import Corpus, Dispatch
from glam.data.corpus import load_corpus
from glam.data.tokenizer import Tokenizer
from glam.device import choose_device
from glam.model.decoder import Glam
from glam.progress import Stages
from glam.specialization.results import Experts
from glam.specialization.study import Plan, Study, study
from glam.specialization.windows import Windows, read_windows

FEWEST_DOCUMENTS = 8


@dataclass(frozen=True)
class Text:
    """The validation text that a study reads.

    Attributes:
        paths: of the text; empty for that of the run.
        tokens: in all domains together.
        off_tokens: of these, those on which experts are switched off; 0 leaves that out.
    """

    paths: Sequence[str]
    tokens: int
    off_tokens: int


def study_checkpoints(
    paths: Sequence[Path],
    text: Text,
    *,
    permutations: int,
    routers: int,
    seed: int = 0,
    device: str = "auto",
) -> Experts:
    """Study the experts of one run, with progress on stderr.

    Args:
        paths: checkpoints, or folders of a run, of which all checkpoints are taken. Experts are
            switched off in the newest of them alone. Where there are several, the weights that
            the run began with stand before them.
        text: to read.
        permutations: of each test.
        routers: random routers to compare with.
        seed: of permutations and random routers.
        device: auto, cpu or cuda.

    Raises:
        InputError: there is no usable checkpoint or tokenizer, a model is dense, checkpoints are
            of different models, or the text has one domain or too few tokens.
        InfeasibleError: there is no such device.
    """
    files = [file for path in paths for file in checkpoint_files(path)]
    states = sorted((load_checkpoint(file) for file in files), key=lambda state: state.step)
    last = states[-1]
    _require_one_mixture(states, files)
    place = choose_device(device)
    tokenizer = Tokenizer.load(files[-1].absolute().parent.parent / "tokenizer.model")
    config = last.config
    corpus = Corpus(paths=tuple(text.paths)) if text.paths else config.corpus
    tokens = load_corpus(corpus, int(config.shape.vocab_size), tokenizer=tokenizer)
    windows = read_windows(tokens, text.tokens, int(config.shape.seq_len))
    turn = windows.size[1] * len(windows.domains)  # a window of each domain
    off = -(-text.off_tokens // turn) * len(windows.domains)
    plan = Plan(permutations, routers, min(off, windows.size[0]), seed)
    studies = []
    with Stages("experts") as stages:
        steps = [None, *states] if len(states) > 1 else states
        for state in steps:
            own = plan if state is last else replace(plan, off_windows=0)
            model = _model(last if state is None else state, begun=state is None).to(place)
            step = state.step if state else 0
            studies.append(_studied(model, step, windows, tokenizer, own, stages))
    return Experts(config.name, config.shape, windows, plan, studies)


def checkpoint_files(path: Path) -> list[Path]:
    """Return a checkpoint, or all those of a run.

    Raises:
        InputError: there is none.
    """
    if is_checkpoint(path):
        return [path]
    files = checkpoints(path / "checkpoints")
    if not files:
        raise InputError(
            f"expected a checkpoint, or the folder of a run with checkpoints, at {path}",
            "none" if path.exists() else "no such file",
            "name the --out folder of a glam train",
        )
    return files


def _require_one_mixture(states: Sequence[Checkpoint], files: Sequence[Path]) -> None:
    dense = [state.config.name for state in states if not state.config.shape.n_moe_layers]
    if dense:
        raise InputError(
            "expected a mixture of experts",
            f"{dense[0]}, a dense model",
            "name a checkpoint of a model with experts (glam sizes)",
        )
    if any(state.config.shape != states[-1].config.shape for state in states):
        raise InputError(
            "expected checkpoints of one model",
            f"different shapes among {', '.join(str(file) for file in files)}",
            "name one run at a time",
        )


def _model(state: Checkpoint, *, begun: bool) -> Glam:
    """Return the model of a checkpoint, or that which its run began with; dropless, float32."""
    dispatch = Dispatch()
    model = Glam.of(state.config, dispatch) if begun else Glam.from_checkpoint(state, dispatch)
    model.dtype = torch.float32
    return model.eval()


def _studied(
    model: Glam, step: int, windows: Windows, tokenizer: Tokenizer, plan: Plan, stages: Stages
) -> Study:
    def show(stage: str, done: int, total: int) -> None:
        stages.show(f"step {step}, {stage}", done, total)

    return study(model, step, windows, tokenizer.pieces(), plan, show)
