"""Ledgers of a job: read below its folder, each rank once, none missing without a word."""

import shutil
import sys

import pytest

from energy.errors import InputError
from energy.ledger.lines import FILE
from energy.ledger.merge import merge
from energy.record import RunRecord
from tests.support import ledgers
from tests.support.standin import write_ledger

WATTS = 300.0


def rank(folder, number, ranks=4, *, job="7", attempt=0, boot="boot", start=0, stop=10, **fields):
    """The ledger of a rank that reads the board of its number."""
    folder.mkdir(parents=True)
    place = {"rank": number, "ranks": ranks, "local_rank": number, "local_ranks": ranks}
    stated = {"scheduler": "Slurm", "id": job, "launcher": "torchrun", "attempt": attempt}
    rows = [
        ledgers.header(
            [ledgers.domain(f"gpu-{number}")],
            id=f"{folder.name}-{attempt}",
            boot=boot,
            job={**stated, **place},
            **fields,
        )
    ]
    rows += [ledgers.sample(s, WATTS * s) for s in range(start, stop + 1)]
    write_ledger(folder / FILE, [*rows, ledgers.end(stop)])
    return folder


def job_of(tmp_path, numbers=range(4)):
    for number in numbers:
        rank(tmp_path / f"rank-{number}", number)
    return tmp_path


def test_the_folder_of_a_job_is_the_folders_of_its_ranks(tmp_path):
    folder = job_of(tmp_path)
    whole = merge([folder], "all")
    assert whole.totals["chip"].value == pytest.approx(4 * WATTS * 10)
    assert whole.totals["chip"].missing == ()
    again = merge(sorted(folder.iterdir()), "all")
    assert (again.energy, again.notes) == (whole.energy, whole.notes)


def test_a_missing_rank_is_named_and_every_total_is_incomplete(tmp_path):
    folder = job_of(tmp_path, [0, 2])
    run = merge([folder], "all")
    assert run.totals["chip"].value == pytest.approx(2 * WATTS * 10)
    (part,) = run.totals["chip"].missing
    assert part.device == "ranks 1, 3"
    assert any(note.startswith("ranks 1, 3: no ledger") for note in run.notes)


def test_one_rank_that_meters_for_its_node_is_missing_nobody(tmp_path):
    run = merge([rank(tmp_path / "node", 0, whole_node=True)], "all")
    assert run.totals["chip"].missing == ()


def test_two_jobs_in_one_folder_are_refused_and_named(tmp_path):
    rank(tmp_path / "rank-0", 0, job="7")
    rank(tmp_path / "rank-1", 1, job="8")
    with pytest.raises(InputError, match=r"of one job.*jobs 7, 8"):
        merge([tmp_path], "all")


def test_a_job_that_was_submitted_again_is_one_job(tmp_path):
    for number in range(2):
        folder = rank(tmp_path / f"rank-{number}", number, ranks=2, job="7")
        first = (folder / FILE).read_bytes()
        shutil.rmtree(folder)
        rank(folder, number, ranks=2, job="8", start=20, stop=25)
        (folder / FILE).write_bytes(first + (folder / FILE).read_bytes())
    assert merge([tmp_path], "all").totals["chip"].value == pytest.approx(2 * WATTS * 15)


def test_a_rank_that_is_there_twice_is_refused_and_another_attempt_of_it_is_not(tmp_path):
    folder = job_of(tmp_path / "job")
    copy = shutil.copytree(folder / "rank-3", tmp_path / "copy")
    with pytest.raises(InputError, match="rank 3 twice"):
        merge([folder, copy], "all")
    rank(folder / "rank-3-attempt-1", 3, attempt=1, start=20, stop=30)
    run = merge([folder, folder / "rank-3"], "all")
    assert run.totals["chip"].value == pytest.approx(5 * WATTS * 10, rel=1e-6)


def test_nodes_of_other_times_add_up_by_the_wall_clock(tmp_path):
    """A job that was queued again on another machine: 10 s there, and 5 s here a minute later."""
    for number, (boot, stop, utc) in enumerate([("a", 10, "00"), ("b", 5, "01")]):
        when = {"utc": f"2026-01-01T00:{utc}:00+00:00", "m": 0}
        rank(tmp_path / str(number), 0, 1, boot=boot, stop=stop, attempt=number, **when)
    assert merge([tmp_path], "all").elapsed_s.value == pytest.approx(15)


def test_the_verb_merges_into_the_folder_of_the_job_and_refuses_in_one_line(
    tmp_path, monkeypatch, capsys
):
    from energy.cli import main

    def energy(*words):
        monkeypatch.setattr(sys, "argv", ["energy", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    folder = job_of(tmp_path / "job", [0, 1, 2])
    code, printed, _ = energy("merge", folder)
    assert code == 0
    assert "missing: rank 3 (no ledger here" in printed.splitlines()[-1]
    assert RunRecord.load(folder).totals["chip"].missing[0].device == "rank 3"
    merged = RunRecord.load(folder)
    assert energy("merge", folder)[0] == 0  # in place of a record that says as much
    fuller = merged.model_copy(update={"metrics": {**merged.metrics, "tokens": merged.elapsed_s}})
    trained = job_of(tmp_path / "trained", [0])
    fuller.save(trained)
    fuller.save(trained / "rank-0")
    (tmp_path / "empty").mkdir()
    shutil.copytree(folder / "rank-0", tmp_path / "copy")
    for words, why in (
        ([tmp_path / "empty"], "expected ledgers in"),
        ([tmp_path / "absent"], "no such file"),
        ([folder / "rank-0"], "--out runs/all"),
        ([folder, tmp_path / "copy", "--out", tmp_path / "out"], "rank 0 twice"),
    ):
        code, printed, said = energy("merge", *words)
        assert (code, printed, said.count("\n")) == (2, "", 1), said
        assert why in said
    # No ledger has the place or the labels: a record of its ledger alone would have less.
    named = job_of(tmp_path / "named", [0]) / "rank-0"
    assert energy("record", named, "--zone", "US")[0] == 0
    labeled = RunRecord.load(named)
    labeled.model_copy(update={"labels": {**labeled.labels, "task": "demo"}}).save(named)
    before = (named / "record.json").read_bytes()
    for site, lost in (("", "label task, zone US; "), ("--zone=FRA", "label task; ")):
        code, printed, said = energy("record", named, *filter(None, [site]))
        assert (code, printed) == (2, "")
        assert f"says more than its ledgers; got {lost}" in said
    assert (named / "record.json").read_bytes() == before
    for words in (["merge", trained], ["record", trained / "rank-0"]):
        code, printed, said = energy(*words)
        assert (code, printed, said.count("\n")) == (2, "", 1), said
        assert "says more than its ledgers; got " in said
        assert "tokens; " in said
    assert RunRecord.load(trained) == RunRecord.load(trained / "rank-0") == fuller
    assert not (tmp_path / "out").exists()
