"""Ranks, restarts and nodes are merged into one record in which each joule counts once."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.errors import InputError
from energy.ledger.lines import FILE
from energy.ledger.lines import rows as rows_of
from energy.ledger.merge import merge
from tests.support import ledgers
from tests.support.standin import write_ledger

WATTS = 100.0


def rank(folder, *, boot="boot-a", host="a", start=0, stop=10, devices=("gpu-0",), offset=0.0):
    """The ledger of one rank: a sample each second, of devices that all draw 100 W."""
    folder.mkdir(parents=True)
    domains = [ledgers.old_domain(device) for device in devices]
    rows = [ledgers.header(domains, v=1, id=folder.name, boot=boot, host=host)]
    for second in range(start, stop + 1):
        moment = second + offset
        rows.append(ledgers.sample(moment, *[WATTS * moment] * len(devices)))
    rows.append(ledgers.end(stop + offset))
    write_ledger(folder / FILE, rows)
    return folder


def joules(folders):
    return merge(folders, "all").totals["chip"].value


def test_eight_ranks_that_meter_the_same_devices_count_them_once(tmp_path):
    devices = [f"gpu-{index}" for index in range(8)]
    folders = [rank(tmp_path / f"rank-{i}", devices=devices, offset=i * 0.07) for i in range(8)]
    # From the first rank's first sample to the last rank's last one.
    assert joules(folders) == pytest.approx(8 * WATTS * (10 + 7 * 0.07))


def test_two_nodes_add_up_whatever_the_order_and_the_repetitions(tmp_path):
    folders = [
        rank(tmp_path / "a0"),
        rank(tmp_path / "a1", start=5, stop=15),
        rank(tmp_path / "b0", boot="boot-b", host="b"),
    ]
    totals = {joules(order) for order in itertools.permutations(folders)}
    totals |= {joules([*folders, *folders])}
    assert len(totals) == 1
    assert totals.pop() == pytest.approx(WATTS * 15 + WATTS * 10)


def test_a_gap_between_a_run_and_its_restart_is_not_filled(tmp_path):
    folders = [rank(tmp_path / "first", stop=10), rank(tmp_path / "second", start=20, stop=25)]
    merged = merge(folders, "all")
    assert merged.totals["chip"].value == pytest.approx(WATTS * 15)
    assert merged.elapsed_s.value == pytest.approx(15)
    assert merged.chip_s.value == pytest.approx(15)
    assert [entry.covered for entry in merged.energy] == [1.0]


def test_a_device_that_only_some_ranks_metered_is_covered_in_part(tmp_path):
    folders = [
        rank(tmp_path / "first", devices=("gpu-0", "gpu-1"), stop=5),
        rank(tmp_path / "second", devices=("gpu-1",), start=5, stop=20),
    ]
    merged = merge(folders, "all")
    covered = {entry.device: entry.covered for entry in merged.energy}
    assert covered == {"gpu-0": 0.25, "gpu-1": 1.0}


def seeing(folder, readings, *, method="counter", **header):
    """The ledger of a rank with these samples of one board, one a second."""
    folder.mkdir(parents=True)
    rows = [ledgers.header([ledgers.domain(method=method)], id=folder.name, **header)]
    rows += [ledgers.sample(second, value) for second, value in enumerate(readings)]
    write_ledger(folder / FILE, [*rows, ledgers.end(len(readings) - 1)])
    return folder


def readings(*stretches):
    """Joules of 300 W, or None while a rank is blind: (whether it sees, seconds) in turn."""
    sees = [sees for sees, seconds in stretches for _ in range(seconds)]
    return [1e6 + 300.0 * second if see else None for second, see in enumerate(sees)]


def test_a_rank_that_reads_a_board_counts_where_another_cannot(tmp_path):
    blind = seeing(tmp_path / "a", readings((False, 21)))
    half = seeing(tmp_path / "b", readings((True, 6), (False, 15)))
    late = seeing(tmp_path / "c", readings((False, 8), (True, 13)))
    run = merge([blind, half, late], "all")
    read, missing = run.energy
    assert read.value == pytest.approx(300 * (5 + 12))
    assert (read.covered, missing.seconds) == (pytest.approx(17 / 20), pytest.approx(3))
    assert (missing.begin_s, missing.end_s) == (5, 8)
    reason = ledgers.domain(reason="no permission")
    rows = [ledgers.header([reason], id="d"), *(ledgers.sample(s, None) for s in range(21))]
    (tmp_path / "d").mkdir()
    write_ledger(tmp_path / "d" / FILE, rows)
    whole = seeing(tmp_path / "e", readings((True, 21)))
    (read,) = merge([tmp_path / "d", blind, whole], "all").energy
    assert (read.value, read.covered) == (pytest.approx(6000), 1.0)


def test_a_ledger_without_samples_is_named_and_stops_no_merge(tmp_path):
    for name, rows in (("a", []), ("b", [ledgers.header([ledgers.domain()])])):
        (tmp_path / name).mkdir()
        write_ledger(tmp_path / name / FILE, rows)
    whole = seeing(tmp_path / "c", readings((True, 11)))
    run = merge([tmp_path / "a", tmp_path / "b", whole], "all")
    assert run.totals["chip"].value == pytest.approx(3000)
    assert "2 ledgers: it has no sample and was left out" in run.notes
    with pytest.raises(InputError, match="expected samples"):
        merge([tmp_path / "a", tmp_path / "b"], "all")


def test_wasted_work_labels_and_notes_come_from_all_folders(tmp_path):
    mark = {"k": "mark", "m": ledgers.ns(8), "kind": "wasted", "fields": {"since_ns": 3e9}}
    folders = []
    for number, name in enumerate("ab"):
        folder = seeing(
            tmp_path / name, readings((True, 11)), labels={"task": "demo", "rank": str(number)}
        )
        rows = [row for row, _ in rows_of(folder / FILE)]
        if name == "b":
            slept = {"k": "clock", "m": ledgers.ns(5), "utc": "", "why": "the wall clock was set"}
            rows[3:3] = [mark, {**slept, "s": 60.0}]
        write_ledger(folder / FILE, rows)
        folders.append(folder)
    run = merge(folders, "all")
    assert run.wasted.energy_j.value == pytest.approx(1500)
    assert run.wasted.elapsed_s.value == pytest.approx(5)
    assert run.wasted.model_flop.value is None
    assert run.labels == {"task": "demo"}
    assert "b: segment 1: the wall clock was set (+60 s)" in run.notes


def state(second, **facts):
    return {"k": "state", "m": ledgers.ns(second), "devices": {"gpu-0": facts}}


def test_devices_and_jobs_come_from_all_folders(tmp_path):
    """Two ranks of one node, one of which came later, and a node with a board of the same name."""
    watts = {
        "a": ("one", 0, [state(1, sm_mhz=1900), state(9, sm_mhz=1500)]),
        "b": ("one", 1, [state(3, sm_mhz=1700), state(9, sm_mhz=1500)]),
        "c": ("two", 2, [state(1, sm_mhz=600)]),
    }
    folders = []
    for name, (boot, rank, states) in watts.items():
        job = {"id": "7" if boot == "one" else "8", "launcher": "Slurm", "rank": rank, "ranks": 3}
        rows = [ledgers.header([ledgers.domain()], id=name, boot=boot, host=boot, job=job)]
        rows += [ledgers.sample(second, 300.0 * second) for second in range(11)]
        (tmp_path / name).mkdir()
        write_ledger(tmp_path / name / FILE, [*rows[:2], *states, *rows[2:], ledgers.end(10)])
        folders.append(tmp_path / name)
    for order in (folders, folders[::-1]):
        environment = merge(order, "all").environment
        assert environment["devices"] == {
            "one-one/gpu-0": {"start": {"sm_mhz": 1900}, "end": {"sm_mhz": 1500}},
            "two-two/gpu-0": {"sm_mhz": 600},
        }
        assert environment["job"] == {"id": "7, 8", "launcher": "Slurm", "ranks": 3}
    alone = merge(folders[:2], "all").environment
    assert alone["devices"]["gpu-0"]["start"] == {"sm_mhz": 1900}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.lists(st.tuples(st.booleans(), st.integers(1, 9)), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)
def test_any_order_and_repetition_gives_the_same_record(tmp_path_factory, ranks, order):
    folder = tmp_path_factory.mktemp("ranks")
    folders = [seeing(folder / f"rank-{i}", readings(*rank)) for i, rank in enumerate(ranks)]
    shuffled = [*folders, *order.choices(folders, k=2)]
    order.shuffle(shuffled)
    first, again = merge(folders, "all"), merge(shuffled, "all")
    assert first.energy == again.energy
    assert (first.totals, first.notes) == (again.totals, again.notes)
    elapsed_s = first.elapsed_s.value
    if elapsed_s:
        seconds = ledgers.seconds_of(first.energy, elapsed_s)
        assert sum(seconds.values()) == pytest.approx(elapsed_s)
    seen = {
        second
        for rank in ranks
        for start, stop in spans_of(readings(*rank))
        for second in range(start, stop)
    }
    assert (first.totals["chip"].value or 0.0) == pytest.approx(300 * len(seen))


def spans_of(joules):
    """From the first to the last reading, between which a counter tells all."""
    seen = [second for second, value in enumerate(joules) if value is not None]
    return [(seen[0], seen[-1])] if seen else []
