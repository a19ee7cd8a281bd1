"""The fit of the constants of serving: the shipped ones are those of the rows; golden rows."""

import numpy as np
import pytest

from energy.errors import InputError
from simulator.published.shipped import shipped
from simulator.serving.constants import SERVING_PRIORS, ServingConstants
from simulator.serving.fit import Errors, errors_of, fit, refit
from simulator.serving.fitted import FILE, load, shipped_fit
from simulator.serving.rows import Problem, read_serving

TABLE = read_serving("published")
PROBLEM = Problem.of(TABLE.rows)


def test_every_published_row_is_understood_and_none_has_assumed_sizes():
    assert TABLE.skipped == {}
    assert len(TABLE.rows) == 357
    assert not any(row.is_assumed for row in TABLE.rows)


@pytest.mark.slow
def test_the_shipped_constants_are_those_of_the_rows(tmp_path):
    refit(PROBLEM).save(tmp_path / FILE)
    again, known = load(tmp_path / FILE), load(shipped(FILE))
    for name in SERVING_PRIORS:
        expected = getattr(known.constants, name)
        assert getattr(again.constants, name) == pytest.approx(expected, rel=0.05)


def test_rows_made_by_known_constants_give_them_back():
    some = PROBLEM.take(np.arange(len(TABLE.rows)) % 4 == 0)
    truth = ServingConstants(joules_a_byte=2e-10, host_s=4e-3)
    from simulator.serving.predict import serve

    served = serve(some.at(truth), truth)
    made = Problem(
        some.service,
        some.prompt_of,
        some.families,
        some.cases,
        some.kinds,
        {
            "j_per_token": np.asarray(served.j_per_token),
            "itl_ms": 1e3 * np.asarray(served.itl_s),
            "watts": np.asarray(served.draw.chip_w) * some.service.chips,
            "tok_s": np.asarray(served.tokens_per_s),
        },
    )
    constants = ServingConstants.at(fit(made))
    assert constants.joules_a_byte == pytest.approx(2e-10, rel=0.15)
    assert constants.host_s == pytest.approx(4e-3, rel=0.25)
    assert np.median(np.abs(errors_of(made, constants)["j_per_token"])) < 0.02


GOLDEN = [
    # ML.ENERGY leaderboard v3: model, chip, chips, limit of sequences, joules a token.
    ("Llama-3.1-70B-Instruct", "h100-sxm5-80gb", 4, 8, 3.76),
    ("Llama-3.1-70B-Instruct", "b200-sxm-180gb", 2, 512, 0.271),
    ("Llama-3.1-405B-Instruct", "b200-sxm-180gb", 8, 128, 2.70),
    ("gemma-3-27b-it", "b200-sxm-180gb", 1, 128, 0.216),
    ("gpt-oss-120b", "h100-sxm5-80gb", 1, 64, 0.268),
]


@pytest.mark.parametrize(("model", "chip", "chips", "sequences", "joules"), GOLDEN)
def test_measured_joules_of_a_token_are_predicted_within_a_third(
    model, chip, chips, sequences, joules
):
    (place,) = (
        place
        for place, row in enumerate(TABLE.rows)
        if row.model_name.endswith(f"/{model}")
        and (row.chip.id, row.chips) == (chip, chips)
        and 0.9 * sequences < row.batch <= sequences
    )
    assert PROBLEM.measured["j_per_token"][place] == pytest.approx(joules, rel=0.01)
    error = errors_of(PROBLEM, shipped_fit().constants)["j_per_token"][place]
    assert abs(np.expm1(-error)) < 1 / 3


def test_a_band_from_few_families_is_wider_and_holds_zero():
    values = np.concatenate([np.full(50, 0.1), np.full(50, -0.2), np.full(50, 0.3)])
    values = values + np.random.default_rng(0).normal(0, 0.05, 150)
    families = np.repeat(["a", "b", "c"], 50)
    errors = Errors({"j_per_token": values}, families, np.full(150, "dense"))
    low, high = errors.band("j_per_token", "dense")
    plain = np.quantile(values, (0.1, 0.9))
    assert low < plain[0] < 0 < plain[1] < high
    fewer = errors.band("j_per_token", "dense", without="c")
    assert fewer[0] <= 0 <= fewer[1]


def test_a_table_in_another_order_of_columns_is_the_same_table(tmp_path):
    lines = [line.split(",") for line in shipped("serving_energy.csv").read_text().splitlines()]
    path = tmp_path / "turned.csv"
    path.write_text("\n".join(",".join(reversed(line)) for line in lines[:20]) + "\n")
    turned = read_serving(path).rows
    assert [row.batch for row in turned] == [row.batch for row in TABLE.rows[:19]]


def test_a_model_that_nobody_knows_has_the_sizes_of_its_row(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "model,gpu,gpus,batch,out_len,total_b,active_b\nours/Big-300B,H100,8,32,500,300,20\n"
        "ours/Plain-30B,H100,2,32,500,30,30\nours/None,H100,2,32,500,,\n"
    )
    table = read_serving(path)
    mixture, dense = table.rows
    assert (mixture.kind, dense.kind) == ("moe", "dense")
    assert mixture.is_assumed
    assert mixture.model.all_weights == pytest.approx(300e9)
    assert dense.model.all_weights == pytest.approx(30e9)
    assert list(table.skipped) == ["row 3"]


def test_a_row_says_what_it_lacks(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("model,gpu,gpus,batch\nqwen3-8b,H100,1,8\n")
    with pytest.raises(InputError, match="out_len"):
        read_serving(path)


def test_a_file_that_is_not_one_of_constants_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="constants of serving"):
        load(path)
