"""Valid files of `glam`, drawn with a seed, and what reads them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.reader import Reader
from tests.support.small_models import MIXTURE_TOML, TINY_MIXTURE


def _texts(random: Random) -> list[str]:
    return [f"Document {n}. " + "words of it " * random.randrange(1, 40) for n in range(30)]


def json_lines(folder: Path, random: Random, name: str = "text.jsonl") -> Path:
    """JSON lines, plain or compressed by the end of the name."""
    rows = [json.dumps({"text": text, "domain": "web"}) for text in _texts(random)]
    content = ("\n".join(rows) + "\n").encode()
    path = folder / name
    path.write_bytes(_packed(content, path.suffix))
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
def _checkpoint(number: int) -> bytes:
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
        return path.read_bytes()


def checkpoint(folder: Path, random: Random) -> Path:
    """A checkpoint of a small model."""
    path = folder / "checkpoints" / "step-00000003.safetensors"
    path.parent.mkdir()
    path.write_bytes(_checkpoint(random.randrange(3)))
    return path


def cached_corpus(folder: Path, random: Random, pattern: str = "manifest.json") -> Path:
    """A corpus whose survey, tokenizer and shards are in the cache; gives one of these files."""
    json_lines(folder, Random(1))
    _corpus(folder)
    (path,) = (folder / "cache").rglob(pattern)
    return path


def _corpus(folder: Path) -> Any:
    from glam.config import Corpus
    from glam.data.corpus import load_corpus

    named = Corpus(paths=(str(folder / "text.jsonl"),))
    return load_corpus(named, 300, folder / "cache", workers=1)


def _read_cached(path: Path) -> Any:
    """Whatever became of a file of the cache, the corpus is the same."""
    folder = next(parent.parent for parent in path.parents if parent.name == "cache")
    corpus = _corpus(folder)
    counts = corpus.count("train"), corpus.count("validation")
    assert counts == _counts(), counts
    corpus.batch(0, 1, sequences=2, length=8)


@cache
def _counts() -> tuple[int, int]:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        json_lines(Path(name), Random(1))
        corpus = _corpus(Path(name))
        return corpus.count("train"), corpus.count("validation")


def _read_corpus(path: Path) -> Any:
    from glam.config import Corpus
    from glam.data.sources import list_sources, read_documents

    config = Corpus(paths=(str(path),))
    for _, document in read_documents(config, list_sources(config, path.parent)):
        document.text.encode()


def _read_configuration(path: Path) -> Any:
    from glam.config import GlamConfig

    config = GlamConfig.of(str(path))
    assert config.tokens_per_step > 0
    return {"seed": config.training.seed}


def _read_checkpoint(path: Path) -> Any:
    from energy.errors import InputError
    from glam.checkpoints.checkpoint import best_checkpoint, latest_checkpoint
    from glam.model.decoder import Glam

    best_checkpoint(path.parent)
    loaded = latest_checkpoint(path.parent)
    if loaded is None:
        raise InputError("expected a checkpoint", "none")
    Glam.from_checkpoint(loaded)


COMPRESSED = ("gz", "xz", "bz2", "zst")

READERS = (
    Reader("corpus, JSON lines", "jsonl", json_lines, _read_corpus, weight=3),
    *(
        Reader(
            f"corpus, {ending}",
            "bytes",
            partial(json_lines, name=f"text.jsonl.{ending}"),
            _read_corpus,
            weight=1,
        )
        for ending in COMPRESSED
    ),
    Reader("corpus, array", "json", json_array, _read_corpus, weight=2),
    Reader("corpus, Parquet", "bytes", parquet, _read_corpus, weight=1),
    Reader("corpus, text", "bytes", plain_text, _read_corpus, weight=1),
    Reader("configuration", "toml", configuration, _read_configuration, weight=4),
    Reader("checkpoint", "bytes", checkpoint, _read_checkpoint, weight=2),
    Reader("manifest", "json", cached_corpus, _read_cached, weight=2),
    Reader(
        "survey", "json", partial(cached_corpus, pattern="survey-*.json"), _read_cached, weight=2
    ),
    Reader(
        "shard, described",
        "json",
        partial(cached_corpus, pattern="shard-*.json"),
        _read_cached,
        weight=1,
    ),
    Reader("shard", "bytes", partial(cached_corpus, pattern="shard-*.u16"), _read_cached, weight=1),
)
