"""A training is killed, its disk is full or read-only: nothing is half-written, and it goes on."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.commands.signals import half_written
from benchmarks.tiny import MIXTURE_TOML
from energy.record import RunRecord
from glam.checkpoints.checkpoint import checkpoints, load_checkpoint
from tests.support import unmeasured_environment
from tests.support.small_models import metrics_rows

pytestmark = [pytest.mark.process, pytest.mark.torch]

STEPS = 12
RUN = f"""
{MIXTURE_TOML}
[training]
steps = {STEPS}
batch_sequences = 2
log_every = 1
checkpoint_every = {{every}}
threads = 1
[corpus]
paths = ["text.txt"]
validation_fraction = 0.3
"""
KILLS = int(os.environ.get("KILLS", "18"))
"""Of which six hit each run; 60 take two minutes more."""

METRICS = 7_000
"""Bytes of which a tokenizer of this run has less, and its metrics more."""


@pytest.fixture(scope="module")
def folder():
    """A folder with a configuration, a text and what is cached of it, which everyone may enter."""
    with tempfile.TemporaryDirectory(prefix="glam-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for every in (3, 100):
            (folder / f"every-{every}.toml").write_text(RUN.format(every=every))
        texts = (path.read_text() for path in sorted(Path(json.__file__).parent.glob("*.py")))
        (folder / "text.txt").write_text("\n".join(texts))
        run = started(folder, "first", every=100)
        assert ended(run) == 0
        yield folder


def started(folder, out, *options, every=3, prepare=None):
    words = ["--model", f"every-{every}.toml", "--out", out, "--meter", "cpu_model", *options]
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "glam", "train", *words],
            cwd=folder,
            env={**unmeasured_environment(), "XDG_CACHE_HOME": str(folder / "cache")},
            stdout=subprocess.DEVNULL,
            stderr=said,
            preexec_fn=prepare,
        )


def ended(run):
    return run.wait(300)


def require_whole(out):
    """Every file of a run is whole; only the last line of one that grows may be cut off."""
    assert half_written(out) == ""
    for path in checkpoints(out / "checkpoints"):
        load_checkpoint(path)
    for name in ("metrics.jsonl", "ledger.jsonl"):
        if (out / name).exists():
            *lines, _ = (out / name).read_text().split("\n")
            assert all(json.loads(line) for line in lines)
    if (out / "record.json").exists():
        RunRecord.load(out)


def require_goes_on(folder, out):
    """The run comes to its end with --resume, or from the start where nothing was written."""
    options = ["--resume"] if (folder / out / "ledger.jsonl").exists() else []
    assert ended(started(folder, out, *options)) == 0, (folder / "said").read_text()
    require_whole(folder / out)
    assert [row["step"] for row in metrics_rows(folder / out)] == list(range(1, STEPS + 1))
    assert RunRecord.load(folder / out).tokens.value == STEPS * 2 * 16


@pytest.mark.parametrize(
    ("limit", "every", "file"),
    [
        (0, 3, ""),
        (1_000, 3, "tokenizer.model"),
        (METRICS, 100, "metrics.jsonl"),
        (20_000, 3, "checkpoints"),
    ],
)
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(folder, limit, every, file):
    out = f"full-{limit}"
    full = (limit, limit)
    run = started(
        folder, out, every=every, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, full)
    )
    assert ended(run) == 2
    require_whole(folder / out)
    said = (folder / "said").read_text()
    if limit:  # else what it says cannot be written either
        assert "Traceback" not in said
        assert f"error: expected to write {out}/{file}" in said
    (folder / f"every-{every}.toml").write_text(RUN.format(every=3))
    require_goes_on(folder, out)
    (folder / f"every-{every}.toml").write_text(RUN.format(every=every))


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, as only root may")
def test_a_folder_that_may_not_be_written_is_one_line_before_any_work(folder, monkeypatch):
    from tests.fuzz.harness import command, outcome

    monkeypatch.chdir(folder)
    (folder / "closed").mkdir(mode=0o555)

    def train(out):
        words = ("--model", "every-3.toml", "--out", out, "--device", "cpu")
        return outcome(command("glam", "train", *words))

    assert train("text.txt/run").kind == "refused"  # what is imported here, the child can read
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        end = train("closed/run")
        refused = end.kind == "refused" and "closed/run" in end.words and "permission" in end.words
        os._exit(0 if refused else 70)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list((folder / "closed").iterdir()) == []


@pytest.mark.parametrize(("options", "mode"), [((), 0o700), (("--group",), 0o750)])
def test_the_folder_of_a_run_is_its_users_alone_or_for_the_group_on_request(folder, options, mode):
    out = folder / f"mode-{mode:o}"
    umask = os.umask(0o077)
    try:
        assert ended(started(folder, out.name, *options)) == 0
    finally:
        os.umask(umask)
    assert out.stat().st_mode & 0o777 == mode
    files = [path for path in out.rglob("*") if path.is_file()]
    assert {bool(path.stat().st_mode & 0o040) for path in files} == {mode == 0o750}
    assert not any(path.stat().st_mode & 0o007 for path in files if path.suffix == ".json")


@pytest.mark.slow
def test_kills_at_random_moments_leave_whole_files_and_a_run_that_goes_on(folder):
    generator, finished = random.Random(5), 0
    begun = time.monotonic()
    assert ended(started(folder, "usual")) == 0
    usual_s = time.monotonic() - begun
    for number in range(KILLS):
        out = f"killed-{number // 6}"
        options = ["--resume"] if (folder / out / "ledger.jsonl").exists() else []
        run = started(folder, out, *options)
        try:
            run.wait(generator.uniform(0, 1.1 * usual_s))
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
        finished += ended(run) == 0
        if (folder / out).exists():
            require_whole(folder / out)
        if number % 6 == 5:
            require_goes_on(folder, out)
    assert finished < KILLS
