"""One measured row: its words, the prediction that it scales, and the file that keeps it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from energy.errors import InputError
from simulator.questions.calibrate.answer import calibrate
from simulator.questions.predict.answer import predict
from simulator.runs.estimate import estimate
from simulator.runs.measured import step_seconds
from simulator.runs.setup import Setup
from simulator.scenarios.request import of_model
from tests.support.tables import published_cells, write_table

RUN = {"chip": "h100", "chips": 64, "tokens": 1e12, "batch": 1024}
VALUES = {
    "hardware.chip": "h100",
    "hardware.count": 64,
    "run.tokens": 1e12,
    "run.batch_sequences": 1024,
}


@pytest.fixture(scope="module")
def step():
    return estimate(Setup.of(of_model("llama3-8b", VALUES)))


@pytest.fixture(scope="module")
def unmeasured():
    return predict("llama3-8b", **RUN)


def step_time(prediction):
    return prediction.record.metrics["step_time_s"]


def test_every_unit_of_one_measurement_is_the_same_step_time(step, unmeasured):
    metrics = unmeasured.record.metrics
    seconds = float(step.step.step_s)
    rate = metrics["tokens_per_s"].value
    words = (
        f"{seconds} s",
        f"{seconds * 1000} ms",
        f"{rate:,.3f} tokens/s",
        f"{rate / 64} tokens/s/chip",
        f"{rate / 64} tokens/s per GPU",
        f"{metrics['model_flop_per_s'].value / 64e12} TFLOP/s",
        f"{metrics['mfu'].value * 100}% MFU",
        f"{metrics['mfu'].value} MFU",
        f"{metrics['mfu'].value} MFU, causal",
        f"{metrics['mfu_full'].value * 100}% MFU full",
    )
    for text in words:
        assert step_seconds(text, step) == pytest.approx(seconds, rel=1e-3), text


@pytest.mark.parametrize("words", ["", "fast", "42 parsecs", "0 tokens/s", "-3 s", "tokens/s"])
def test_words_that_are_no_rate_are_refused_with_examples(words, step):
    with pytest.raises(InputError, match="tokens/s/chip"):
        step_seconds(words, step)


def test_the_measured_run_is_predicted_as_measured_beside_what_was_predicted(unmeasured):
    slower = step_time(unmeasured).value * 1.3
    known = predict("llama3-8b", **RUN, measured=f"{slower} s")
    assert step_time(known).value == pytest.approx(slower, rel=1e-6)
    before = known.record.metrics["step_time_uncalibrated_s"]
    assert before.value == pytest.approx(step_time(unmeasured).value)
    width = step_time(known).high / step_time(known).low
    assert width < before.high / before.low
    assert any(
        "uncalibrated x" in note and "with your row x" in note for note in known.record.notes
    )


def test_a_measured_mixture_takes_its_measured_time_however_it_was_routed():
    assert step_time(predict("mixtral-8x7b", **RUN, measured="12 s")).value == pytest.approx(12)


def test_a_measured_row_above_the_roof_of_its_chip_is_said_to_be(unmeasured):
    beyond = predict("llama3-8b", **RUN, measured="90% MFU")
    assert step_time(beyond).value < step_time(unmeasured).value
    assert any("the roof of h100" in note for note in beyond.record.notes)
    assert not any("the roof of" in note for note in unmeasured.record.notes)


def test_a_rate_of_one_chip_that_is_written_as_one_of_all_is_refused(unmeasured):
    rate = unmeasured.record.metrics["tokens_per_s"].value / 64
    with pytest.raises(InputError, match="tokens/s/chip"):
        predict("llama3-8b", **RUN, measured=f"{rate} tokens/s")


def test_a_kept_row_scales_other_models_plans_and_counts_of_the_cluster(unmeasured, tmp_path):
    cluster = tmp_path / "ours.json"
    slower = step_time(unmeasured).value * 1.5
    predict("llama3-8b", **RUN, measured=f"{slower} s", cluster=cluster)
    other = RUN | {"chips": 128}
    constants = {"hardware.constants": str(cluster)}
    before = step_time(predict("llama3-70b", **other))
    after = step_time(predict("llama3-70b", **other, overrides=constants))
    assert 1.1 * before.value < after.value < 1.5 * before.value
    assert after.high / after.low < before.high / before.low
    elsewhere = other | {"chip": "a100-sxm4-80gb"}
    assert step_time(predict("llama3-70b", **elsewhere)).value == pytest.approx(
        step_time(predict("llama3-70b", **elsewhere, overrides=constants)).value
    )


def test_a_file_to_keep_a_row_in_needs_a_row(tmp_path, simulator):
    code, out, err = simulator("predict", "glam-8b", "--cluster", tmp_path / "ours.json")
    assert (code, out) == (2, "")
    assert "--measured" in err


def test_calibrate_takes_one_row_and_its_file_scales_that_chip_alone(tmp_path):
    cells = next(row for row in published_cells() if row["row_id"] == "llm-foundry-001")
    slower = float(cells["tokens_per_s_per_chip"]) * 0.6
    own_row = cells | {"tokens_per_s_per_chip": f"{slower}"}
    path, out = write_table(tmp_path / "own.csv", [own_row]), tmp_path / "constants.json"
    fitted = calibrate(path, out=out)
    assert set(fitted.pool.own) == {"h100-sxm5-80gb"}
    own = fitted.pool.own["h100-sxm5-80gb"]["dense"]
    assert 0 < own["ln"] < -np.log(0.6) + 0.1
    assert json.loads(out.read_text())["own"]["h100-sxm5-80gb"]["dense"]["rows"] == 1
