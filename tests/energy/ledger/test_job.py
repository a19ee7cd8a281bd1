"""Job, node and rank from the variables that schedulers and launchers set."""

import json
import os
import subprocess
import sys

import pytest

from energy.errors import InputError
from energy.ledger.job import job
from energy.ledger.lines import require_ledger
from energy.meters.files import fact_rows
from energy.verbs.run import folder_of

SLURM = {
    "SLURM_JOB_ID": "1234",
    "SLURM_JOB_NAME": "glam",
    "SLURM_NODEID": "1",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_LOCALID": "1",
}
STEP = {**SLURM, "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "4"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "9",
    "WORLD_SIZE": "16",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "0",
}


def test_a_rank_of_srun_knows_job_step_node_and_rank():
    own = job(STEP)
    assert own.as_dict() == {
        "scheduler": "Slurm",
        "id": "1234.0",
        "name": "glam",
        "launcher": "Slurm",
        "rank": 3,
        "ranks": 4,
        "local_rank": 1,
        "node": 1,
        "nodes": 2,
    }
    assert own.parallel


def test_the_script_of_a_job_is_no_rank_although_it_bears_rank_0():
    batch = {**SLURM, "SLURM_PROCID": "0", "ENVIRONMENT": "BATCH"}
    assert not job(batch).parallel
    assert job(batch).id == "1234"
    assert job({**batch, "SLURM_STEP_ID": "1"}).parallel


def test_torchrun_in_a_slurm_job_has_its_own_ranks_and_slurms_job():
    own = job({**STEP, **TORCHRUN})
    assert (own.launcher, own.rank, own.ranks) == ("torchrun", 9, 16)
    assert (own.scheduler, own.id, own.node) == ("Slurm", "1234.0", 1)


def test_a_job_that_torchrun_has_not_named_has_no_id():
    assert job(TORCHRUN).id is None
    assert job({**TORCHRUN, "TORCHELASTIC_RUN_ID": "night"}).id == "night"


@pytest.mark.parametrize("row", fact_rows("launchers.csv"), ids=lambda row: row["launcher"])
def test_every_launcher_states_its_rank_or_its_job(row):
    environment = {row["rank"]: "2", row["ranks"].split(";")[0]: "8", row["job"]: "77"}
    environment.pop("none", None)
    own = job(environment)
    if row["rank"] != "none":
        assert (own.launcher, own.rank, own.ranks) == (row["launcher"], 2, 8)
    if row["job"] != "none":
        assert (own.scheduler, own.id) == (row["launcher"], "77")


@pytest.mark.parametrize("environment", [{}, {"RANK": "0"}, {"RANK": "x", "WORLD_SIZE": "2"}])
def test_without_a_launcher_there_is_no_rank(environment):
    assert job(environment).as_dict() == {}


def test_ranks_have_folders_of_their_own_and_a_command_that_is_launched_again_too(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    own = job(STEP)
    assert folder_of(["a/train"], tmp_path, own) == tmp_path / "rank-3"
    first = folder_of(["a/train"], None, own)
    assert str(first) == "runs/train-1234.0/rank-3"
    first.mkdir(parents=True)
    (first / "ledger.jsonl").touch()
    assert str(folder_of(["a/train"], None, own)) == "runs/train-1234.0-2/rank-3"
    assert folder_of(["train"], tmp_path, job({**STEP, "SLURM_STEP_NUM_TASKS": "1"})) == tmp_path


def started(out, variables):
    """`energy run` of a short command as a launcher with these variables would start it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "PMI", "OMPI"))}
    return subprocess.Popen(
        [sys.executable, "-m", "energy", "run", "--out", str(out), "--", "sleep", "0.3"],
        env={**kept, **variables},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_ranks_of_one_launch_do_not_collide_and_say_how_to_merge_them(tmp_path):
    ranks = [started(tmp_path, {**STEP, "SLURM_PROCID": str(rank)}) for rank in range(2)]
    printed = [rank.communicate(timeout=60)[1] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], printed
    for rank in range(2):
        record = json.loads((tmp_path / f"rank-{rank}" / "record.json").read_text())
        labels = record["labels"]
        assert (labels["job"], labels["node"], labels["rank"]) == ("1234.0", "1", str(rank))
        assert record["environment"]["job"]["ranks"] == 4
        assert f"(rank {rank} of 4)" in printed[rank]
    assert f"energy merge {tmp_path}\n" in printed[0]
    assert "energy merge" not in printed[1]
    with pytest.raises(InputError, match="merge its ranks: energy merge"):
        require_ledger(tmp_path)


def test_one_node_of_a_job_says_that_it_is_one(tmp_path):
    run = started(tmp_path, {**SLURM, "SLURM_PROCID": "0", "ENVIRONMENT": "BATCH"})
    run.communicate(timeout=60)
    record = json.loads((tmp_path / "record.json").read_text())
    assert any("1 of 2 nodes" in note for note in record["notes"])
