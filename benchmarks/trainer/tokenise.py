"""Tokenise a large text in bounded memory, kill it on the way, and let it go on.

The text is the standard library's, again and again, each document with a number of its own.

    python -m benchmarks.trainer.tokenise [--mb 1000] [--workers 2] [--kills 1] [--dir DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import psutil

from energy.console import guard, print_json
from energy.files import write_atomic

VOCABULARY = 8192
CHILD = f"""
import sys
from pathlib import Path
from glam.config import Corpus
from glam.data.corpus import load_corpus
if __name__ == "__main__":
    found = load_corpus(Corpus(paths=(sys.argv[1],)), {VOCABULARY}, Path(sys.argv[2]),
                        workers=int(sys.argv[3]))
    print(found.count("train"), found.count("held_out"))
"""


def write_text(path: Path, size_mb: float) -> None:
    """JSON lines of so many MB of documents, no two of one text."""
    from glam.data.standard_library import standard_library

    documents = [document for _, document in standard_library()]

    def write(file: object) -> None:
        size = 0
        for number in count():
            document = documents[number % len(documents)]
            row = {"text": f"document {number}\n{document.text}"}
            size += file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            if size >= size_mb * 1e6:
                return

    write_atomic(path, write)


def attempt(program: Path, text: Path, cache: Path, workers: int, stop_at: int) -> dict[str, float]:
    """One process until it ends, or until so many shards are there; its time and peak memory."""
    command = [sys.executable, str(program), str(text), str(cache), str(workers)]
    begun, peak = time.monotonic(), {"parent": 0, "worker": 0}
    run = psutil.Popen(command, stdout=subprocess.DEVNULL)
    tokenising_s = None
    while run.poll() is None:
        try:
            peak["parent"] = max(peak["parent"], run.memory_info().rss)
            for child in run.children(recursive=True):
                peak["worker"] = max(peak["worker"], child.memory_info().rss)
        except psutil.NoSuchProcess:
            pass
        done = len(list(cache.glob("corpus-*/shard-*.json")))
        if tokenising_s is None and list(cache.glob("tokenizer-*")):
            tokenising_s = time.monotonic()
        if stop_at and done >= stop_at:
            run.kill()
        time.sleep(0.05)
    ended = time.monotonic()
    return {
        "elapsed_s": ended - begun,
        "tokenising_s": ended - (tokenising_s or ended),
        "shards": len(list(cache.glob("corpus-*/shard-*.json"))),
        "peak_parent_mb": peak["parent"] / 1e6,
        "peak_worker_mb": peak["worker"] / 1e6,
        "ended": float(run.returncode or 0),
    }


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=float, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    place = asked.dir or Path(tempfile.mkdtemp(prefix="glam-tokenise-"))
    place.mkdir(parents=True, exist_ok=True)
    text, program, cache = place / "text.jsonl", place / "child.py", place / "cache"
    program.write_text(CHILD)
    if not text.exists():
        write_text(text, asked.mb)
    cache.mkdir(exist_ok=True)
    all_shards = max(1, int(asked.mb / 16))
    stops = [max(1, all_shards * (n + 1) // (asked.kills + 1)) for n in range(asked.kills)]
    rows = [attempt(program, text, cache, asked.workers, stop) for stop in [*stops, 0]]
    (manifest,) = cache.glob("corpus-*/manifest.json")
    domain = json.loads(manifest.read_text())["domains"]["text"]
    tokenising_s = sum(row["tokenising_s"] for row in rows)
    found = {
        "text_mb": domain["text_bytes"] / 1e6,
        "workers": asked.workers,
        "mb_per_s": domain["text_bytes"] / 1e6 / tokenising_s,
        "tokens": domain["tokens"],
        "documents": domain["documents"],
        "attempts": rows,
    }
    if asked.dir is None:
        shutil.rmtree(place)
    if asked.json:
        print_json(found)
        return
    for number, row in enumerate(rows, start=1):
        how = "killed" if row["ended"] else "finished"
        print(
            f"attempt {number}: {how} after {row['elapsed_s']:.0f} s with {row['shards']} shards;"
            f" peak {row['peak_parent_mb']:.0f} MB, {row['peak_worker_mb']:.0f} MB a worker"
        )
    print(
        f"{found['text_mb']:,.0f} MB of text, {sum(domain['tokens'].values()) / 1e6:,.0f}M tokens,"
        f" {asked.workers} workers: {found['mb_per_s']:.1f} MB/s"
    )


if __name__ == "__main__":
    guard(main)
