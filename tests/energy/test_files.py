"""A file is whole or absent, and a command that cannot write says so in one line."""

import errno
import os
import subprocess
import sys

import pytest

from energy.errors import InfeasibleError, InputError
from energy.files import write_atomic, write_text_atomic


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    place = tmp_path / "record.json"
    write_text_atomic(place, "old")

    def fail_half_way(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="no space left on device; free some space"):
        write_atomic(place, fail_half_way)
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]
    assert place.read_text() == "old"


def test_a_real_limit_of_the_system_is_told_in_one_line(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "from pathlib import Path; from energy.console import guard\n"
        "from energy.files import write_text_atomic\n"
        f"guard(lambda: write_text_atomic(Path({str(tmp_path)!r}) / 'big', 'x' * 100_000))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "file too large" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told_in_words(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected to write"):
        write_text_atomic(tmp_path / "file" / "record.json", "")


def test_an_error_says_expectation_value_and_fix_and_carries_its_exit_code(capsys):
    from energy.console import guard

    def infeasible():
        raise InfeasibleError("expected 32 GiB a chip", "41 GiB", "use more chips")

    with pytest.raises(SystemExit) as end:
        guard(infeasible)
    assert end.value.code == 3
    assert capsys.readouterr().err == "error: expected 32 GiB a chip; got 41 GiB; use more chips\n"


def test_a_writer_that_is_killed_leaves_the_old_file_and_no_half_one(tmp_path):
    """Where the file system has files without a name, as every usual one of Linux."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system has no files without a name")
    place = tmp_path / "shard"
    write_text_atomic(place, "old")
    code = (
        "import os, pathlib, sys; from energy.files import write_atomic\n"
        "def write(file):\n"
        "    file.write(b'half' * 100_000); file.flush(); os.kill(os.getpid(), 9)\n"
        "write_atomic(pathlib.Path(sys.argv[1]), write)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(place)])
    assert run.returncode == -9
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]
    assert place.read_text() == "old"


def test_a_file_system_without_unnamed_files_gets_the_same_file(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE")
    write_text_atomic(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("unnamed", [True, False])
def test_a_file_may_be_read_by_whom_the_umask_says(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    before = os.umask(0o027)
    try:
        write_text_atomic(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
