"""Who is the slowest rank, how long the others wait for it, and what that costs."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.ledger.lines import FILE
from energy.ledger.merge import merge
from tests.support import ledgers
from tests.support.standin import write_ledger

WATTS = 300.0


def rank(number, works, *, marked, boards, first=0):
    """A rank whose steps begin together; it waits inside its window of the step, or after it."""
    ranks = works.shape[1]
    place = {"rank": number, "ranks": ranks, "local_rank": number, "local_ranks": ranks}
    domains = [ledgers.domain(f"gpu-{i}") for i in range(boards)]
    rows = [ledgers.header(domains, id=str(number), job={"launcher": "torchrun", **place})]
    begins = np.concatenate(([1.0], 1.0 + np.cumsum(works.max(axis=1) + 0.1)))
    stop = int(begins[-1]) + 2
    rows += [ledgers.sample(s, *[WATTS * s] * boards) for s in range(stop + 1)]
    for k, begin in list(enumerate(begins[:-1]))[first:]:
        done, all_done = begin + works[k, number], begin + works[k].max()
        if marked:
            waits = ledgers.window("all-reduce", done, all_done + 0.05)
            rows.append({**waits, "phase": "waiting"})
        rows.append(ledgers.window("step", begin, all_done + 0.05 if marked else done))
        moment = ledgers.ns(all_done + 0.06)
        rows.append({"k": "mark", "m": moment, "kind": "step", "fields": {"step": k}})
    return [*rows, ledgers.end(stop)]


def job_of(folder, works, *, marked=False, boards=None, first=None):
    for number in range(works.shape[1]):
        (folder / str(number)).mkdir(parents=True)
        rows = rank(
            number,
            works,
            marked=marked,
            boards=boards or works.shape[1],
            first=(first or {}).get(number, 0),
        )
        write_ledger(folder / str(number) / FILE, rows)
    return merge([folder], "job")


@settings(max_examples=15)
@given(
    st.integers(2, 4).flatmap(
        lambda ranks: st.lists(
            st.lists(st.floats(0.05, 2.0), min_size=ranks, max_size=ranks), min_size=2, max_size=5
        )
    ),
    st.booleans(),
)
def test_each_rank_waits_for_the_slowest_of_each_step(tmp_path_factory, works, marked):
    works = np.array(works)
    run = job_of(tmp_path_factory.mktemp("job"), works, marked=marked)
    waits = works.max(axis=1, keepdims=True) - works
    for number, own in enumerate(run.ranks):
        assert own.rank == number
        assert own.devices == (f"gpu-{number}",)
        assert own.steps == len(works)
        assert own.waiting_s.value == pytest.approx(waits[:, number].sum(), abs=1e-6)
        share = waits[:, number].sum() / works.max(axis=1).sum()
        assert own.waiting_share.value == pytest.approx(share, abs=1e-6)
        assert own.step_s.value == pytest.approx(np.median(works[:, number]), abs=1e-6)
        assert own.waiting_j.value == pytest.approx(WATTS * waits[:, number].sum(), abs=0.01)
    assert sum(r.energy_j.value for r in run.ranks) == pytest.approx(run.totals["chip"].value)


def test_the_slowest_rank_is_named_and_steps_are_matched_by_their_numbers(tmp_path):
    """Rank 1 lost its windows of two steps: the others of these steps count for nobody."""
    works = np.array([[1.0, 0.2, 0.4]] * 6)
    run = job_of(tmp_path, works, first={1: 2})
    assert [own.steps for own in run.ranks] == [4, 4, 4]
    assert [own.slowest for own in run.ranks] == [4, 0, 0]
    assert run.ranks[1].waiting_share.value == pytest.approx(0.8)


def test_ranks_that_share_a_board_share_its_joules(tmp_path):
    run = job_of(tmp_path, np.array([[1.0, 0.5]] * 3), boards=1)
    assert [own.devices for own in run.ranks] == [("gpu-0",), ("gpu-0",)]
    assert sum(r.energy_j.value for r in run.ranks) == pytest.approx(run.totals["chip"].value)
    assert run.ranks[1].waiting_j.value == pytest.approx(WATTS / 2 * 1.5)


def test_without_common_steps_the_joules_stand_and_the_waiting_is_missing(tmp_path):
    run = job_of(tmp_path, np.array([[1.0, 0.5]]))
    assert run.ranks[0].energy_j.value > 0
    assert run.ranks[0].waiting_s.value is None
    assert "no steps" in run.ranks[0].waiting_s.source


def test_the_page_of_a_job_shows_who_waits_and_no_empty_figure(tmp_path):
    from energy.reports import html
    from energy.reports.runs import find

    job_of(tmp_path, np.array([[1.0, 0.5]] * 3)).save(tmp_path / "record.json")
    page = html.page(find(tmp_path))
    titles = re.findall(r"<figure><h2>(.*?)</h2>", page)
    assert titles == ["job: rank 1 waits most, 50% of its steps"]
    assert "<caption>Ranks</caption>" in page
    assert ">1.50 s<" in page
