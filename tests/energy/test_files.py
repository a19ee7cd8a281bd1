"""A file is whole or absent, and a failed write is one line of error."""

import errno
import os
import subprocess
import sys

import pytest

from energy.errors import InfeasibleError, InputError
from energy.files import write_atomic, write_text_atomic
from tests.support import unmeasured_environment


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "record.json"
    write_text_atomic(path, "old")

    def fail_half_way(file):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match="no space left on device; free some space"):
        write_atomic(path, fail_half_way)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_limit_of_the_system_is_one_line_of_error(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "from pathlib import Path; from energy.guard import guard\n"
        "from energy.files import write_text_atomic\n"
        f"guard(lambda: write_text_atomic(Path({str(tmp_path)!r}) / 'big', 'x' * 100_000))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=unmeasured_environment(),
    )
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert "file too large" in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_path_below_a_file_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected to write"):
        write_text_atomic(tmp_path / "file" / "record.json", "")


def test_an_error_states_expectation_value_and_fix_and_has_an_exit_code(capsys):
    from energy.guard import guard

    def infeasible():
        raise InfeasibleError("expected 32 GiB a chip", "41 GiB", "use more chips")

    with pytest.raises(SystemExit) as end:
        guard(infeasible)
    assert end.value.code == 3
    assert capsys.readouterr().err == "error: expected 32 GiB a chip; got 41 GiB; use more chips\n"


def test_a_killed_writer_leaves_the_old_file_and_no_half_one(tmp_path):
    """On a file system with unnamed files, which all usual ones of Linux have."""
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system has no unnamed files")
    path = tmp_path / "shard"
    write_text_atomic(path, "old")
    code = (
        "import os, pathlib, sys; from energy.files import write_atomic\n"
        "def write(file):\n"
        "    file.write(b'half' * 100_000); file.flush(); os.kill(os.getpid(), 9)\n"
        "write_atomic(pathlib.Path(sys.argv[1]), write)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)])
    assert run.returncode == -9
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_write_removes_what_killed_writers_of_the_same_file_left_and_nothing_else(tmp_path):
    names = (".a.12-34", ".a.56-78", ".a.notes", ".b.12-34", "a.12-34", ".a.12-34.gz")
    for name in names:
        (tmp_path / name).write_text("left")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / ".a.56-78")  # another machine may be at work on it
    write_text_atomic(tmp_path / "a", "text")
    assert {path.name for path in tmp_path.iterdir()} == {"a", *names[1:]}


def test_a_file_system_without_unnamed_files_gets_the_same_file(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE")
    write_text_atomic(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("unnamed", [True, False])
def test_the_umask_decides_who_may_read_a_file(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE")
    before = os.umask(0o027)
    try:
        write_text_atomic(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640
