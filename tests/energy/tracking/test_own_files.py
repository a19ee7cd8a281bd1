"""What a run leaves is its user's own: permissions, links, and the folder it was started in."""

import os
import subprocess
import sys

import pytest

from energy import RunRecord, Tracker, site
from energy.errors import InputError
from energy.ledger.environment import machine
from energy.ledger.lines import FILE, require_ledger
from energy.verbs.run import rebuild
from tests.support import ROOT


def tracker(folder, **settings):
    return Tracker(folder, interval_s=0.05, meters=["cpu_model"], **settings)


def modes(folder):
    return {file.name: oct(file.stat().st_mode & 0o777) for file in [folder, *folder.iterdir()]}


@pytest.fixture(params=[0o022, 0o077])
def _umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("group", "file", "folder"), [(False, "0o600", "0o700"), (True, "0o640", "0o750")]
)
@pytest.mark.usefixtures("_umask")
def test_files_of_a_run_are_for_its_user_or_on_request_for_the_group(tmp_path, group, file, folder):
    with tracker(tmp_path / "run", group=group):
        pass
    permissions = modes(tmp_path / "run")
    assert permissions.pop("run") in (folder, "0o700")  # the umask holds for folders
    assert permissions == {"ledger.jsonl": file, "record.json": file}
    # A record that is made again has the permissions of its ledger.
    (tmp_path / "run" / "record.json").unlink()
    rebuild(tmp_path / "run", site())
    assert modes(tmp_path / "run")["record.json"] == file


def test_ranks_of_one_user_share_the_samples_of_private_ledgers(tmp_path):
    second = tracker(tmp_path / "second")
    with tracker(tmp_path / "first"), second, second.window("step"):
        pass
    (link,) = (tmp_path / "second").glob("node-*.jsonl")
    assert link.samefile(tmp_path / "first" / FILE)
    assert second.record().totals["chip"].value > 0


def test_a_ledger_that_is_a_link_out_of_its_folder_is_neither_written_nor_read(tmp_path):
    other = tmp_path / "other.txt"
    other.write_text('{"k":"header"}\nmine, without an end of line')
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / FILE).symlink_to(other)
    for use in (lambda: tracker(folder).open(), lambda: require_ledger(folder)):
        with pytest.raises(InputError, match=r"in its own folder .*; got a link to .*other.txt"):
            use()
    assert other.read_text().endswith("mine, without an end of line")
    (folder / FILE).unlink()
    (folder / FILE).symlink_to(folder / FILE)
    with pytest.raises(InputError, match="expected"):
        tracker(folder).open()


def test_a_run_behind_a_linked_folder_is_metered_and_read(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    with tracker(tmp_path / "run"):
        pass
    assert RunRecord.load(tmp_path / "disk").totals["chip"].value > 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_plain_file_is_no_ledger(tmp_path, make):
    make(tmp_path / FILE)
    with pytest.raises(InputError, match="expected a ledger"):
        tracker(tmp_path).open()


def test_a_file_that_is_no_ledger_stays_as_it_is(tmp_path):
    (tmp_path / FILE).write_text("notes of mine")
    with pytest.raises(InputError, match="begins with 'notes of mine'"):
        tracker(tmp_path).open()
    assert (tmp_path / FILE).read_text() == "notes of mine"


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    run = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def test_the_commit_is_that_of_the_folder_of_the_run_or_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "git_commit" not in machine()
    git(tmp_path, "init", "-q")
    assert "git_commit" not in machine()  # no commit yet
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    with tracker(tmp_path / "run"):
        pass
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert RunRecord.load("run").environment["git_commit"] == commit
    # Made again elsewhere, the record still says where the run was.
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "two")
    subprocess.run(
        [sys.executable, "-m", "energy", "record", str(tmp_path / "run")],
        cwd=ROOT,
        check=True,
        timeout=60,
    )
    assert RunRecord.load("run").environment["git_commit"] == commit
