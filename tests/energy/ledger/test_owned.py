"""What a rank owns: accelerators by local rank, all else with the first rank of its node."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.ledger.job import attempt_of, job
from energy.ledger.owned import owned
from tests.support import ledgers

HOST = [
    ledgers.domain("cpu", "model", kind="cpu"),
    ledgers.domain("memory", "constant", kind="memory"),
    ledgers.domain("node", "power", kind="node", boundary="node"),
]


def header(rank, ranks, **fields):
    own = {"rank": rank, "ranks": ranks, "local_rank": rank, "local_ranks": ranks}
    return {"job": {"launcher": "torchrun", **own}, **fields}


def boards(count):
    return [ledgers.domain(f"gpu-{i}") for i in range(count)]


@given(st.integers(0, 12), st.integers(2, 12))
def test_every_device_of_a_node_has_an_owner_and_one_only_where_there_are_enough(count, ranks):
    domains = [*HOST, *boards(count)]
    own = [owned(domains, header(rank, ranks)) for rank in range(ranks)]
    owners = {d["id"]: [r for r in range(ranks) if d["id"] in own[r]] for d in domains}
    assert all(owners[d["id"]] == [0] for d in HOST)
    for board in boards(count):
        assert len(owners[board["id"]]) == (1 if count >= ranks else ranks)
    if count >= ranks:
        assert {len(names) - 3 * (not r) for r, names in enumerate(own)} <= {
            count // ranks,
            -(-count // ranks),
        }


def test_a_rank_owns_the_board_of_its_number_with_its_memory_and_module():
    domains = [
        *HOST,
        *(ledgers.domain(f"module-{i}", kind="module") for i in range(2)),
        *(ledgers.domain(f"gpu-{i}", within=f"module-{i}") for i in range(2)),
        *(ledgers.domain(f"hbm-{i}", kind="hbm", within=f"gpu-{i}") for i in range(2)),
    ]
    assert owned(domains, header(1, 2)) == {"module-1", "gpu-1", "hbm-1"}
    assert owned(domains, header(0, 2)) == {d["id"] for d in domains} - owned(domains, header(1, 2))


def test_an_accelerator_within_a_node_is_no_part_of_what_the_first_rank_owns():
    node = ledgers.domain("cray-node", kind="node", boundary="node")
    accelerators = [ledgers.domain(f"cray-accel{i}", within="cray-node") for i in range(2)]
    assert owned([node, *accelerators], header(1, 2)) == {"cray-accel1"}
    assert owned([node, *accelerators], header(0, 2)) == {"cray-node", "cray-accel0"}


def test_each_rank_owns_what_it_meters_of_itself_alone():
    assert "cpu-tree-7" in owned([ledgers.domain("cpu-tree-7", kind="cpu")], header(1, 2))


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"job": {}},
        header(0, 1),
        header(3, 4, whole_node=True),
        {"job": {"rank": 1, "ranks": 4}},
    ],
    ids=["no job", "no rank", "one rank", "for its node", "an unknown place"],
)
def test_what_is_no_rank_with_a_known_place_owns_everything(stated):
    domains = [*HOST, *boards(3)]
    assert owned(domains, stated) == {d["id"] for d in domains}


def test_the_record_of_a_rank_has_what_it_owns_and_says_so(tmp_path):
    domains = [ledgers.domain("cpu", kind="cpu"), *boards(2)]
    totals = []
    for rank in range(2):
        rows = [ledgers.header(domains, **header(rank, 2))]
        rows += [ledgers.sample(s, 50.0 * s, 300.0 * s, 200.0 * s) for s in range(11)]
        rows += [ledgers.window("step", 2, 4), ledgers.end(10)]
        run = ledgers.record_of(tmp_path / str(rank), rows)
        totals.append(run.totals["chip"].value)
        assert len([note for note in run.notes if "energy merge" in note]) == 1
        assert run.windows[0].energy_j.value == pytest.approx(totals[-1] / 5)
        assert run.phases[0].energy_j.value == pytest.approx(totals[-1] * 4 / 5)
    assert totals == pytest.approx([3500, 2000])


SLURM = {
    "SLURM_JOB_ID": "7",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "9",
    "SLURM_STEP_NUM_TASKS": "11",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "2",
    "SLURM_STEP_TASKS_PER_NODE": "4(x2),3",
}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "night",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
}


def test_the_ranks_of_a_node_are_read_as_slurm_and_torchrun_write_them():
    assert job(SLURM).local_ranks == 3
    assert job({**SLURM, "SLURM_NODEID": "1"}).local_ranks == 4
    assert job({**SLURM, "SLURM_NODEID": "3"}).local_ranks is None
    assert job({**SLURM, "SLURM_STEP_TASKS_PER_NODE": "many"}).local_ranks is None
    assert job(TORCHRUN).local_ranks == 2


def test_attempts_are_those_of_the_launcher_and_of_the_scheduler_around_it():
    assert attempt_of(job(TORCHRUN).as_dict()) == "1"
    assert attempt_of(job({**TORCHRUN, "TORCHELASTIC_RUN_ID": "none"}).as_dict()) == "1"
    again = {**SLURM, "SLURM_RESTART_COUNT": "2"}
    assert attempt_of(job(again).as_dict()) == "2"
    assert attempt_of(job({**again, **TORCHRUN}).as_dict()) == "2.1"
    assert attempt_of(job({**SLURM, **TORCHRUN}).as_dict()) == "0.1"
    assert attempt_of(job({}).as_dict()) == ""
