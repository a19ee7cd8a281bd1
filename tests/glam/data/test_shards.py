"""Shards have the same bits whatever the number of processes, kills and kinds of sources."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from glam.config import Corpus
from glam.data.corpus import Stream, load_corpus
from glam.data.shards import token_dtype
from tests.support import unmeasured_environment

SOURCE = Path(json.__file__).with_name("decoder.py").read_text()
VOCABULARY = 400
SHARD_BYTES = 20_000
CHILD = f"""
import sys
from glam.config import Corpus
from glam.data.corpus import load_corpus
from pathlib import Path
if __name__ == "__main__":
    load_corpus(Corpus(paths=(sys.argv[1],)), {VOCABULARY}, Path(sys.argv[2]),
                workers=int(sys.argv[3]), shard_bytes={SHARD_BYTES})
"""


def rows(count=300):
    return [
        {"domain": ("books", "news")[n % 2], "text": f"<{n}> {SOURCE[n * 20 :][:1500]}"}
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def json_lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows()))
    return path


def load(path, cache, **options):
    return load_corpus(Corpus(paths=(str(path),)), VOCABULARY, cache, **options)


def file_contents(cache):
    (base,) = cache.glob("corpus-*")
    # A process killed while it writes leaves a temporary file with a dot, which is ignored.
    return {path.name: path.read_bytes() for path in base.glob("[!.]*")}


@pytest.fixture(scope="module")
def whole(json_lines, tmp_path_factory):
    """The cache of a corpus tokenized in one process, without interruption."""
    cache = tmp_path_factory.mktemp("whole")
    load(json_lines, cache, workers=1, shard_bytes=SHARD_BYTES)
    return cache


def test_two_processes_write_the_same_files_as_one(json_lines, whole, tmp_path):
    load(json_lines, tmp_path, workers=2, shard_bytes=SHARD_BYTES)
    assert file_contents(tmp_path) == file_contents(whole)


def test_a_killed_tokenization_continues_at_its_first_missing_shard(json_lines, whole, tmp_path):
    program = tmp_path / "child.py"
    program.write_text(CHILD)
    cache = tmp_path / "cache"
    command = [sys.executable, str(program), str(json_lines), str(cache), "2"]
    run = subprocess.Popen(command, start_new_session=True)
    while run.poll() is None and len(list(cache.glob("corpus-*/shard-*.json"))) < 3:
        time.sleep(0.001)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = list(cache.glob("corpus-*/shard-*.json"))
    assert len(done) >= 3
    if not list(cache.glob("corpus-*/manifest.json")):
        time.sleep(0.5)  # its worker processes end with it
    before = {path: path.stat().st_mtime_ns for path in done}
    assert subprocess.run(command).returncode == 0
    assert file_contents(cache) == file_contents(whole)
    assert {path: path.stat().st_mtime_ns for path in done} == before


def test_a_damaged_shard_is_written_again(json_lines, whole, tmp_path):
    load(json_lines, tmp_path, workers=1, shard_bytes=SHARD_BYTES)
    (base,) = tmp_path.glob("corpus-*")
    shard = base / "shard-00000002.u16"
    valid = shard.read_bytes()
    shard.write_bytes(valid[:-2])
    load(json_lines, tmp_path, workers=1, shard_bytes=SHARD_BYTES)
    assert shard.read_bytes() == valid


def test_the_manifest_lists_sources_documents_tokens_and_checksums(json_lines, whole):
    import hashlib

    (base,) = whole.glob("corpus-*")
    manifest = json.loads((base / "manifest.json").read_text())
    size = json_lines.stat().st_size
    counts = {"documents": 300, "left_out": 0, "why": ""}
    assert manifest["sources"] == [{"path": str(json_lines), "bytes": size, **counts}]
    assert set(manifest["domains"]) == {"books", "news"}
    for name, domain in manifest["domains"].items():
        documents = domain["documents"]
        assert documents["train"] + documents["validation"] == domain["documents_read"] == 150
        assert documents["validation"] >= 1
        shards = [shard for shard in manifest["shards"] if shard["domain"] == name]
        total = sum(shard["tokens"]["validation"] for shard in shards)
        assert domain["tokens"]["validation"] == total > 0
    for shard in manifest["shards"]:
        data = (base / shard["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == shard["sha256"]
        assert len(data) == 2 * sum(shard["tokens"].values())


def test_every_kind_of_source_gives_the_same_tokens(json_lines, whole, tmp_path):
    import datasets
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(rows())
    parquet.write_table(table, tmp_path / "rows.parquet", row_group_size=70)
    datasets.Dataset.from_list(rows()).save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows())}).save_to_disk(
        str(tmp_path / "split")
    )
    stream = tmp_path / "hub"
    stream.mkdir()
    (stream / "train.jsonl").write_text(json_lines.read_text())
    expected = load(json_lines, whole, shard_bytes=SHARD_BYTES, workers=1)
    for path in (tmp_path / "rows.parquet", tmp_path / "one", tmp_path / "split", f"hf:{stream}"):
        corpus = load(path, tmp_path / "cache", shard_bytes=SHARD_BYTES, workers=1)
        for split in ("train", "validation"):
            assert corpus.count(split) == expected.count(split)
            batches = [
                each.batch(0, 3, sequences=4, length=65, split=split) for each in (corpus, expected)
            ]
            assert np.array_equal(*batches)


@given(sizes=st.lists(st.integers(0, 9), max_size=8), ends=st.tuples(*[st.integers(0, 80)] * 2))
def test_a_stream_is_the_concatenation_of_its_shards(sizes, ends):
    parts = [np.arange(size) + 100 * number for number, size in enumerate(sizes)]
    whole = np.concatenate([*parts, np.empty(0, np.int64)])
    stream = Stream(parts)
    assert len(stream) == len(whole)
    assert np.array_equal(stream[slice(*sorted(ends))], whole[slice(*sorted(ends))])


@pytest.mark.parametrize(("vocab_size", "bits"), [(400, 16), (2**16, 16), (2**16 + 1, 32)])
def test_tokens_are_as_small_as_the_vocabulary_allows(vocab_size, bits):
    assert 8 * token_dtype(vocab_size).itemsize == bits


def test_a_long_text_file_is_read_in_parts(tmp_path):
    from glam.data.sources import PART_BYTES, list_sources, read_documents

    (tmp_path / "long.txt").write_text("words and words\n" * (2 * PART_BYTES // 16 + 10))
    config = Corpus(paths=(str(tmp_path / "long.txt"),))
    documents = [text for _, text in read_documents(config, list_sources(config, tmp_path))]
    assert [document.name for document in documents] == [
        "long.txt",
        "long.txt part 2",
        "long.txt part 3",
    ]
    assert sum(len(document.text) for document in documents) == os.path.getsize(
        tmp_path / "long.txt"
    )


def error_of(path, cache, **settings):
    with pytest.raises(InputError) as error:
        load_corpus(Corpus(paths=(str(path),), **settings), VOCABULARY, cache)
    return str(error.value)


def test_a_parquet_file_without_text_names_its_columns(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"body": ["one"], "id": [1]}), path)
    error = error_of(path, tmp_path)
    assert "columns body, id" in error
    assert "set [corpus] text_column" in error
    assert "int" in error_of(path, tmp_path, text_column="id")
    path.write_bytes(path.read_bytes()[:40])
    assert "expected a Parquet file" in error_of(path, tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "expected to read /proc/self/mem" in error_of("/proc/self/mem", tmp_path)


def test_an_empty_domain_is_named(tmp_path):
    (tmp_path / "void.txt").write_text("")
    assert "for domain books" in error_of(f"books={tmp_path / 'void.txt'}", tmp_path)


def test_a_malformed_line_in_a_folder_is_named_with_its_number(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": 5}\n')
    error = error_of(tmp_path, tmp_path / "cache")
    assert "line 3" in error
    assert "a.jsonl" in error


def test_a_stream_from_the_hub_needs_a_limit(tmp_path):
    assert "set [corpus] max_mb" in error_of("hf:nobody/nothing", tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_an_error_and_leaves_no_partial_shard(json_lines, tmp_path, workers):
    """A limit on file sizes makes the write of a shard fail as a full disk would."""
    code = CHILD.replace(f"shard_bytes={SHARD_BYTES}", "shard_bytes=100_000").replace(
        "    load_corpus",
        "    import resource\n    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "    load_corpus",
    )
    (tmp_path / "child.py").write_text(code)
    cache = tmp_path / "cache"
    load(json_lines, cache, workers=1)  # survey and tokenizer are in the cache
    command = [
        sys.executable,
        str(tmp_path / "child.py"),
        str(json_lines),
        str(cache),
        str(workers),
    ]
    run = subprocess.run(command, capture_output=True, text=True, env=unmeasured_environment())
    assert run.returncode == 1
    assert "InputError: expected to write" in run.stderr
    (incomplete,) = [
        base for base in cache.glob("corpus-*") if not (base / "manifest.json").exists()
    ]
    assert [path.name for path in incomplete.iterdir() if path.name.startswith(".")] == []
