"""Tokenize a large text in bounded memory, with kills on the way after which it resumes.

The text is the source of the standard library, repeated; every document has a number of its own,
so no two are equal.

    python -m benchmarks.trainer.tokenization [--mb 1000] [--workers 2] [--kills 1] [--dir DIR]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any

import psutil

from energy.console import print_json
from energy.files import write_atomic
from energy.guard import guard

VOCABULARY = 8192
SHARD_MB = 16
CHILD = f"""
import sys
from pathlib import Path
from glam.config import Corpus
from glam.data.corpus import load_corpus
if __name__ == "__main__":
    corpus = load_corpus(Corpus(paths=(sys.argv[1],)), {VOCABULARY}, Path(sys.argv[2]),
                         workers=int(sys.argv[3]))
    print(corpus.count("train"), corpus.count("validation"))
"""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--mb", type=float, default=1000, help="size of the text (1000)")
    parser.add_argument("--workers", type=int, default=2, help="processes that tokenize (2)")
    parser.add_argument("--kills", type=int, default=1, help="times it is killed (1)")
    parser.add_argument("--dir", type=Path, help="folder to keep; a temporary one if left out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="glam-tokenization-") as temporary:
        folder = options.dir or Path(temporary)
        results = measure(folder, options.mb, options.workers, options.kills)
    if options.json:
        print_json(results)
        return
    print_page(results)


def measure(folder: Path, text_mb: float, workers: int, kills: int) -> dict[str, Any]:
    """Tokenize a text, killed at evenly spaced shards and resumed.

    Args:
        folder: for the text and the tokenized corpus.
        text_mb: size of the text.
        workers: processes that tokenize.
        kills: times that the run is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text, program, cache = folder / "text.jsonl", folder / "child.py", folder / "cache"
    program.write_text(CHILD)
    if not text.exists():
        write_text(text, text_mb)
    cache.mkdir(exist_ok=True)
    shards = max(1, int(text_mb / SHARD_MB))
    stops = [max(1, shards * (n + 1) // (kills + 1)) for n in range(kills)]
    command = [sys.executable, str(program), str(text), str(cache), str(workers)]
    attempts = [attempt(command, cache, stop) for stop in [*stops, None]]
    (manifest,) = cache.glob("corpus-*/manifest.json")
    domain = json.loads(manifest.read_text())["domains"]["text"]
    tokenizing_s = sum(row["tokenizing_s"] for row in attempts)
    return {
        "text_mb": domain["text_bytes"] / 1e6,
        "workers": workers,
        "mb_per_s": domain["text_bytes"] / 1e6 / tokenizing_s,
        "tokens": domain["tokens"],
        "documents": domain["documents"],
        "attempts": attempts,
    }


def write_text(path: Path, size_mb: float) -> None:
    """Write JSON lines of documents, so many MB of them, no two with the same text."""
    from glam.data.standard_library import standard_library

    documents = [document for _, document in standard_library()]

    def write(file: IO[bytes]) -> None:
        size = 0
        for number in count():
            document = documents[number % len(documents)]
            row = {"text": f"document {number}\n{document.text}"}
            size += file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            if size >= size_mb * 1e6:
                return

    write_atomic(path, write)


def attempt(command: Sequence[str], cache: Path, stop_at: int | None) -> dict[str, Any]:
    """Run one process to its end, or kill it once so many shards exist.

    Args:
        command: the process.
        cache: folder in which it writes tokenizer and shards.
        stop_at: number of shards at which it is killed; None lets it finish.

    Returns:
        elapsed_s and the part of it after the tokenizer was trained, tokenizing_s; shards; peak
        memory of the parent and of the largest worker; killed.
    """
    begin, peak = time.monotonic(), {"parent": 0, "worker": 0}
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    tokenizing_since = None
    while process.poll() is None:
        try:
            peak["parent"] = max(peak["parent"], process.memory_info().rss)
            for child in process.children(recursive=True):
                peak["worker"] = max(peak["worker"], child.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        if tokenizing_since is None and list(cache.glob("tokenizer-*")):
            tokenizing_since = time.monotonic()
        if stop_at and count_shards(cache) >= stop_at:
            process.kill()
        time.sleep(0.05)
    end = time.monotonic()
    return {
        "elapsed_s": end - begin,
        "tokenizing_s": end - (tokenizing_since or end),
        "shards": count_shards(cache),
        "peak_parent_mb": peak["parent"] / 1e6,
        "peak_worker_mb": peak["worker"] / 1e6,
        "killed": bool(process.returncode),
    }


def count_shards(cache: Path) -> int:
    """The number of shards that are complete."""
    return len(list(cache.glob("corpus-*/shard-*.json")))


def print_page(results: dict[str, Any]) -> None:
    """Print a line for each attempt and one for the whole."""
    for number, row in enumerate(results["attempts"], start=1):
        outcome = "killed" if row["killed"] else "finished"
        print(
            f"attempt {number}: {outcome} after {row['elapsed_s']:.0f} s, {row['shards']} shards;"
            f" peak {row['peak_parent_mb']:.0f} MB, {row['peak_worker_mb']:.0f} MB per worker"
        )
    tokens = sum(results["tokens"].values())
    print(
        f"{results['text_mb']:,.0f} MB of text, {tokens / 1e6:,.0f}M tokens,"
        f" {results['workers']} worker(s): {results['mb_per_s']:.1f} MB/s"
    )


if __name__ == "__main__":
    guard(main)
