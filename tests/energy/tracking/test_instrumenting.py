"""Metering a script from Python: facts of the run, its record, a second run, new processes."""

import asyncio
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import energy
from energy import RunRecord, Tracker, track
from energy.errors import AccountingError, InputError, MissingDataError
from energy.ledger import reader as ledger
from energy.ledger.lines import FILE
from energy.quantity import Origin, Quantity

FAST = {"interval_s": 0.05, "meters": ["cpu_model"]}


def test_the_facts_of_a_run_are_in_the_record_that_a_block_leaves(tmp_path):
    flop = Quantity.exact(6e12, "FLOP", "6 x parameters x tokens", Origin.MODELLED)
    with Tracker(
        tmp_path, zone="FRA", pue=1.2, tokens=1_000, model_flop=flop, params_total=1e6, **FAST
    ) as tracker:
        time.sleep(0.1)
    record = RunRecord.load(tmp_path)
    assert record.tokens.value == 1000
    assert record.tokens.origin is Origin.ASSUMED
    assert (record.model_flop, record.params_total.value) == (flop, 1e6)
    assert record.labels["zone"] == "FRA"
    assert record.factors["pue"].value == 1.2
    assert record.co2_location_g.value > 0
    assert tracker.record(tokens=7).tokens.value == 7


def test_a_site_states_prices_and_water_and_chips_their_number(tmp_path):
    place = energy.site("FRA", pue=1.1, electricity_price=0.2, wue=1.0, ewif=2.0)
    with Tracker(tmp_path, site=place, chips=4, **FAST):
        time.sleep(0.1)
    record = RunRecord.load(tmp_path)
    assert record.cost_usd.value > 0
    assert record.water_l.value > 0
    assert record.chip_s.value == pytest.approx(4 * record.elapsed_s.value)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"zone": "Atlantis"}, "expected a .*grid zone.*; got Atlantis"),
        ({"zone": 5}, "expected the name of a grid zone; got 5, a int"),
        ({"pue": 0.5}, "expected pue of 1 or more; got 0.5"),
        ({"pue": -1}, "expected pue of 1 or more"),
        ({"pue": "1.2"}, "expected pue of 1 or more"),
        ({"tokens": -1}, "expected tokens of 0 or more; got -1"),
        ({"tokens": float("nan")}, "expected tokens of 0 or more; got nan"),
        ({"tokens": "300e9"}, "expected tokens as a number or a Quantity in 1; got '300e9', a str"),
        ({"tokens": True}, "expected tokens as a number"),
        ({"model_flop": Quantity.exact(1.0, "J", "x")}, "expected model_flop in FLOP; got J"),
        ({"model_flop": {"experts": 1.0}}, "sum the parts, times the tokens"),
        ({"chips": 0}, "expected chips above 0; got 0"),
        ({"site": energy.site("FRA"), "zone": "FRA"}, "expected a site, or zone and pue; got both"),
    ],
)
def test_impossible_facts_are_refused_before_work_begins(tmp_path, facts, words):
    with pytest.raises(AccountingError, match=words):
        Tracker(tmp_path / "run", **facts)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"token": 1}, "expected a field of a record; got token; did you mean tokens"),
        ({"metrics": 3}, "expected fields of a record; got metrics: input should be a"),
        ({"executed_flop": "many"}, "expected executed_flop as a number"),
    ],
)
def test_impossible_fields_of_a_record_are_one_line_of_error(tmp_path, fields, words):
    with Tracker(tmp_path, **FAST) as tracker:
        pass
    with pytest.raises(InputError, match=words) as error:
        tracker.record(**fields)
    assert "\n" not in str(error.value)


def test_a_block_that_raises_leaves_a_record_that_says_so(tmp_path):
    tracker = Tracker(tmp_path, **FAST)
    with pytest.raises(ZeroDivisionError), tracker, tracker.window("step"):
        _ = 1 / 0
    record = RunRecord.load(tmp_path)
    assert record.notes == ["segment 1: the run ended with ZeroDivisionError"]
    assert [window.name for window in record.windows] == ["step"]
    with pytest.raises(SystemExit), Tracker(tmp_path / "exit", **FAST):
        sys.exit(0)
    assert RunRecord.load(tmp_path / "exit").notes == []


def test_a_record_that_cannot_be_written_raises_nothing_and_is_said(tmp_path, caplog):
    with Tracker(tmp_path / "run", **FAST) as tracker:
        shutil.rmtree(tmp_path / "run")
    assert "no record of this run: expected samples" in caplog.text
    assert tracker.stop() is None


def test_start_and_stop_meter_what_is_between_them(tmp_path):
    tracker = Tracker(tmp_path, **FAST).start()
    with tracker.window("step"):
        time.sleep(0.1)
    record = tracker.stop()
    assert record.model_dump() == RunRecord.load(tmp_path).model_dump()
    assert [window.name for window in record.windows] == ["step"]
    assert tracker.stop() is None


@pytest.mark.parametrize(
    ("last", "code", "notes"),
    [("pass", 0, []), ("raise KeyError(1)", 1, ["segment 1: the run ended with KeyError"])],
)
def test_a_run_that_is_never_stopped_leaves_its_record_with_the_program(
    tmp_path, last, code, notes
):
    script = (
        "import sys; from energy import Tracker\n"
        "tracker = Tracker(sys.argv[1], interval_s=0.05, meters=['cpu_model']).start()\n"
        f"with tracker.window('step'): pass\n{last}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, timeout=60
    )
    assert run.returncode == code
    assert RunRecord.load(tmp_path).notes == notes


def test_tokens_are_counted_while_a_run_goes_on_and_repeated_ones_once(tmp_path):
    def train(steps, **resumed):
        with Tracker(tmp_path, **FAST, **resumed) as tracker:
            for step in steps:
                with tracker.window("step"):
                    time.sleep(0.01)
                tracker.add_tokens(np.int64(100))
                tracker.mark("step", step=step)
        return RunRecord.load(tmp_path).tokens

    assert train(range(1, 5)).value == 400
    # Steps 3 and 4 are lost and done again.
    tokens = train(range(3, 7), resume_at={"step": 2})
    assert (tokens.value, tokens.origin) == (600, Origin.MEASURED)


def test_a_second_run_in_the_folder_of_a_finished_one_is_refused_and_changes_nothing(tmp_path):
    with Tracker(tmp_path, **FAST):
        pass
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"without a finished run; got .*resume_at=\{\}"):
        Tracker(tmp_path, **FAST).start()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    # The way that the message names.
    with Tracker(tmp_path, resume_at={}, **FAST):
        pass
    record = RunRecord.load(tmp_path)
    assert len(ledger.segments(tmp_path / FILE)) == 2
    assert record.notes == []


def test_an_interrupted_run_that_is_started_again_is_continued_with_a_note(tmp_path):
    with pytest.raises(KeyError), Tracker(tmp_path, **FAST):
        raise KeyError("out of memory")
    with Tracker(tmp_path, **FAST):
        pass
    notes = RunRecord.load(tmp_path).notes
    assert notes[0] == "segment 1: the run ended with KeyError"
    assert notes[1].startswith("segment 2: the run was started again after an interruption")


SPAWN = """
import multiprocessing, sys, time
import energy

tracker = energy.Tracker("runs/mine", interval_s=0.05, meters=["cpu_model"]).start()
with tracker.window("outside"):
    pass

def double(x):
    return 2 * x

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(double, range(4)))
    print(tracker.stop().windows[0].count)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_pool_that_imports_the_script_again_starts_no_second_run(tmp_path, method):
    (tmp_path / "train.py").write_text(SPAWN)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "train.py", method],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (run.stdout, run.stderr) == ("[0, 2, 4, 6]\n1\n", "")
    assert len(ledger.segments(tmp_path / "runs" / "mine" / FILE)) == 1


def test_the_calls_of_a_decorated_function_are_one_run(tmp_path):
    @track(tmp_path, zone="FRA", **FAST)
    def train(steps, *, lr=1.0):
        "Trains."
        time.sleep(0.05)
        train.tracker.add_tokens(100 * steps)
        return steps * lr

    assert (train.__name__, train.__doc__) == ("train", "Trains.")
    assert not (tmp_path / FILE).exists()
    assert (train(2), train(3, lr=2.0)) == (2.0, 6.0)
    record = RunRecord.load(tmp_path)
    assert (record.name, record.tokens.value, record.labels["zone"]) == ("train", 500, "FRA")
    assert [(window.name, window.count) for window in record.windows] == [("train", 2)]


def test_a_decorator_without_parentheses_names_the_folder_by_the_function(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    @track
    def train():
        pass

    train()
    (folder,) = (tmp_path / "runs").glob("train-*")
    assert RunRecord.load(folder).name == "train"


def test_a_decorated_function_that_raises_leaves_a_record_that_says_so(tmp_path):
    @track(tmp_path, **FAST)
    def train():
        raise ValueError("loss is NaN")

    with pytest.raises(ValueError, match="loss is NaN"):
        train()
    assert RunRecord.load(tmp_path).notes == ["segment 1: the run ended with ValueError"]


def test_options_of_a_decorator_are_checked_where_it_is_written(tmp_path):
    with pytest.raises(MissingDataError, match="Atlantis"):
        track(tmp_path, zone="Atlantis")(print)


def seconds(folder):
    record = RunRecord.load(folder)
    (window,) = record.windows
    assert record.notes == []
    return window.elapsed_s.value


def test_a_coroutine_is_metered_from_its_first_step_to_its_end(tmp_path):
    @track(tmp_path, **FAST)
    async def train():
        await asyncio.sleep(0.2)
        return 7

    async def main():
        return await asyncio.gather(train(), train())

    assert asyncio.run(main()) == [7, 7]
    # Two calls at the same time: each is a window, and their time is metered once.
    assert seconds(tmp_path) >= 0.4
    assert len(ledger.segments(tmp_path / FILE)) == 1


def test_a_generator_is_metered_while_it_is_used_and_not_before(tmp_path):
    @track(tmp_path, **FAST)
    def batches():
        for number in range(3):
            sent = yield number
            time.sleep(0.05)
        return sent

    made = batches()
    assert not (tmp_path / FILE).exists()
    assert list(made) == [0, 1, 2]
    assert seconds(tmp_path) >= 0.15
    # One that is not used up ends in order where it is closed.
    made = batches()
    assert next(made) == 0
    made.close()
    assert RunRecord.load(tmp_path).windows[0].count == 2


def test_an_asynchronous_generator_is_metered_and_takes_what_is_sent(tmp_path):
    @track(tmp_path, **FAST)
    async def echo():
        sent = None
        for _ in range(3):
            await asyncio.sleep(0.05)
            sent = yield sent

    async def main():
        made = echo()
        return [await made.asend(None), await made.asend("a"), [item async for item in made]]

    assert asyncio.run(main()) == [None, "a", [None]]
    assert seconds(tmp_path) >= 0.15
