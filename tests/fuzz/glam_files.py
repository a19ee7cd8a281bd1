"""Valid files of `glam`, drawn with a seed."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.tiny import MIXTURE_TOML
from tests.support.small_models import TINY_MIXTURE


def _texts(random: Random) -> list[str]:
    return [f"Document {n}. " + "words of it " * random.randrange(1, 40) for n in range(30)]


def json_lines(folder: Path, random: Random, name: str = "text.jsonl") -> Path:
    """JSON lines, plain or compressed by the end of the name."""
    rows = [json.dumps({"text": text, "domain": "web"}) for text in _texts(random)]
    content = ("\n".join(rows) + "\n").encode()
    path = folder / name
    path.write_bytes(_packed(content, path.suffix))
    return path


def prompts(folder: Path, random: Random) -> Path:
    """Lines with a prompt each."""
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in _texts(random)))
    return path


def _packed(content: bytes, suffix: str) -> bytes:
    if suffix == ".zst":
        import pyarrow

        sink = pyarrow.BufferOutputStream()
        with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content)
        return bytes(sink.getvalue().to_pybytes())
    packers: dict[str, Callable[[bytes], bytes]] = {
        ".gz": gzip.compress,
        ".xz": lzma.compress,
        ".bz2": bz2.compress,
    }
    return packers.get(suffix, bytes)(content)


def answers(folder: Path, random: Random) -> Path:
    """Answers of an evaluation to items of two tasks."""
    lines = []
    for task in ("copa", "boolq"):
        for n in range(12):
            right = random.choice([0.0, 0.5, 1.0])
            lines.append({"task": task, "item": f"{n}", "right": right, "group": f"{n % 4}"})
    path = folder / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def json_array(folder: Path, random: Random) -> Path:
    """An array of objects."""
    (folder / "text.json").write_text(json.dumps([{"text": text} for text in _texts(random)]))
    return folder / "text.json"


def parquet(folder: Path, random: Random) -> Path:
    """A table."""
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": _texts(random)}), folder / "text.parquet")
    return folder / "text.parquet"


def plain_text(folder: Path, random: Random) -> Path:
    """A text."""
    (folder / "text.txt").write_text("\n".join(_texts(random)))
    return folder / "text.txt"


def configuration(folder: Path, random: Random) -> Path:
    """The configuration of a training."""
    training = (
        f"[training]\nsteps = {random.randrange(1, 99)}\nbatch_sequences = 2\n"
        f"learning_rate = {random.uniform(1e-4, 1e-2)}\nseed = {random.randrange(99)}\n"
    )
    corpus = '[corpus]\npaths = ["books", "code=src"]\nmax_mb = 2.5\nweights = {code = 0.5}\n'
    stop = "[stop]\nenergy_j = 2e6\n" if random.random() < 0.5 else ""
    (folder / "run.toml").write_text(f"{MIXTURE_TOML}{training}{corpus}{stop}")
    return folder / "run.toml"


@cache
def _checkpoint(number: int) -> dict[str, bytes]:
    """The files of a checkpoint of a small model, by name."""
    import tempfile

    from glam.checkpoints.checkpoint import Checkpoint
    from glam.config import GlamConfig, Training
    from glam.model.decoder import Glam
    from glam.training.optimizer import build_optimizer

    config = GlamConfig(name="tiny", shape=TINY_MIXTURE, training=Training(seed=number))
    model = Glam(TINY_MIXTURE, seed=number)
    optimizer = build_optimizer(model, config.training)
    with tempfile.TemporaryDirectory() as folder:
        path = Checkpoint.capture(3, config, model, optimizer).write(Path(folder))
        return {file.name: file.read_bytes() for file in path.iterdir()}


def checkpoint(folder: Path, random: Random, file: str) -> Path:
    """A checkpoint of a small model; gives one of its files."""
    path = folder / "checkpoints" / "step-00000003"
    path.mkdir(parents=True)
    for name, content in _checkpoint(random.randrange(3)).items():
        (path / name).write_bytes(content)
    return path / file


def former_checkpoint(folder: Path, _: Random) -> Path:
    """A checkpoint of a former version."""
    path = folder / "checkpoints" / "step-00000003.safetensors"
    path.parent.mkdir()
    golden = Path(__file__).parents[1] / "golden" / "glam" / "former-checkpoint.safetensors"
    path.write_bytes(golden.read_bytes())
    return path


def cached_corpus(folder: Path, random: Random, pattern: str = "manifest.json") -> Path:
    """A corpus whose survey, tokenizer and shards are in the cache; gives one of these files."""
    json_lines(folder, Random(1))
    corpus(folder)
    (path,) = (folder / "cache").rglob(pattern)
    return path


def corpus(folder: Path) -> Any:
    """The corpus of a folder with `json_lines`, from the cache beside it."""
    from glam.config import Corpus
    from glam.data.corpus import load_corpus

    named = Corpus(paths=(str(folder / "text.jsonl"),))
    return load_corpus(named, 300, folder / "cache", workers=1)


@cache
def _trained() -> dict[str, bytes]:
    """The files of a run that has ended, by their paths in its folder."""
    import tempfile

    from glam.training.run import train

    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        _small_run(Path())
        train("small.toml", "run")
        files = [path for path in Path("run").rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}


def trained(folder: Path, _: Random, file: str) -> Path:
    """A run that has ended, beside its configuration and text; gives one of its files."""
    _small_run(folder)
    for name, content in _trained().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "run" / file


def _small_run(folder: Path) -> None:
    """The configuration and text of a run of two steps."""
    json_lines(folder, Random(1))
    settings = '[training]\nsteps = 2\nlog_every = 1\n[corpus]\npaths = ["text.jsonl"]\n'
    mixture = MIXTURE_TOML.replace("= 400", "= 300")
    (folder / "small.toml").write_text(f"{mixture}{settings}")
