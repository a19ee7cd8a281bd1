"""Memory, time and watts of a service: hand-worked numbers and laws."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from energy.facts import catalog
from simulator.serving.bounds import least_first_s, least_mean_s, least_token_s
from simulator.serving.figures import figures
from simulator.serving.fitted import shipped_fit
from simulator.serving.model import ServedModel
from simulator.serving.predict import serve
from simulator.serving.request import Request, resolve
from simulator.serving.service import Board, Service, formats, room

CONSTANTS = shipped_fit().constants


def service(name="llama3-70b", chip="h100", chips=4, batch=8.0, precision="bf16", **changes):
    model = catalog.model(name)
    return Service(
        **{
            "model": ServedModel.of(model.shape),
            "board": Board.of(catalog.chip(chip)),
            "chips": chips,
            "dp": 1,
            "ep": 1,
            "batch": batch,
            "prompt": 250.0,
            "answer": 350.0,
            **formats(precision, is_mixture=model.shape.n_moe_layers > 0),
            **changes,
        }
    )


def test_the_cache_of_a_token_worked_by_hand():
    assert ServedModel.of(catalog.model("qwen3-8b").shape).cache_full == 36 * 2 * 8 * 128
    latent = ServedModel.of(catalog.model("deepseek-v3").shape)
    assert latent.cache_full == 61 * (512 + 64)
    assert latent.cache_heads == 1


def test_a_windowed_layer_keeps_its_window():
    model = ServedModel.of(catalog.model("gemma-3-27b").shape)
    assert model.cache_window == 52 * 16 * 2 * 128
    assert model.cache_full == 10 * 16 * 2 * 128
    assert model.window == 1024


def test_a_recurrent_hybrid_has_a_state_and_four_caches():
    model = ServedModel.of(catalog.model("nemotron-nano-9b-v2").shape)
    assert model.cache_full == 4 * 8 * 2 * 128
    assert model.state == 27 * (128 * 128 * 80 + 4 * (2 * 8 * 128 + 128 * 80))


def test_memory_worked_by_hand():
    space = room(service(prompt=1000.0, answer=0.0))
    assert space.weight_bytes == pytest.approx(35.3e9, rel=0.002)
    assert space.sequence_bytes == 1000 * 80 * 8 * 2 * 128 * 2 / 4
    assert space.largest_batch == np.floor((72e9 - space.weight_bytes) / space.sequence_bytes)


def test_no_step_is_shorter_than_reading_its_weights_worked_by_hand():
    alone = service(chips=2, batch=1.0, prompt=1.0)
    weights = 80 * (8192 * 8192 * 2 + 2 * 8192 * 1024 + 3 * 8192 * 28672) + 8192 * 128256
    cache = 80 * 8 * 2 * 128 * 2 / 2
    assert least_token_s(alone) == pytest.approx((weights + cache) / 3.35e12, rel=1e-4)


@settings(deadline=None)
@given(
    name=st.sampled_from(["llama3-70b", "qwen3-235b-a22b", "gpt-oss-120b", "gpt3-175b"]),
    chip=st.sampled_from(["h100", "b200", "h200", "l4", "tpu-v5p"]),
    chips=st.sampled_from([1, 2, 8]),
    batch=st.sampled_from([1, 64, 1024]),
    precision=st.sampled_from(["bf16", "fp8"]),
)
def test_no_end_of_a_band_passes_the_memory_the_peak_or_the_design_power(
    name, chip, chips, batch, precision
):
    request = Request(model=name, chip=chip, chips=chips, batch=batch, precision=precision)
    answer = figures(request)
    own, figure = answer.served.service, answer.quantities
    assert figure["itl_s"].low >= least_token_s(own) * (1 - 1e-9)
    assert figure["ttft_s"].low >= least_first_s(own) * (1 - 1e-9)
    assert figure["tokens_per_s"].high <= batch / least_mean_s(own) * (1 + 1e-9)
    if figure["chip_power_w"].value is not None:
        assert figure["chip_power_w"].high <= float(own.board.design_w) * (1 + 1e-9)


def test_half_the_bits_of_a_cache_fit_twice_the_sequences():
    wide, narrow = room(service()), room(service(cache_bytes=1.0))
    assert narrow.largest_batch == pytest.approx(2 * wide.largest_batch, abs=1)


def test_speculation_yields_the_tokens_of_its_formula():
    assert service(draft=1, acceptance=0.85).tokens_a_step == pytest.approx(1.85)
    assert service().tokens_a_step == pytest.approx(1)


@pytest.mark.parametrize("name", ["llama3-70b", "qwen3-14b", "gpt-oss-120b", "gemma-3-27b"])
def test_joules_a_token_fall_with_the_batch_until_the_chip_is_full(name):
    batches = 2.0 ** np.arange(11)
    joules = serve(service(name, batch=batches), CONSTANTS).j_per_token
    assert np.all(np.diff(joules) < 0)


@pytest.mark.parametrize("name", ["llama3-8b", "gpt-oss-20b", "nemotron-nano-9b-v2", "deepseek-v3"])
@given(batch=st.floats(1, 2000), more=st.floats(1.01, 4))
def test_a_larger_batch_is_slower_for_each_and_faster_for_all(name, batch, more):
    few = serve(service(name, chips=8, batch=batch), CONSTANTS)
    many = serve(service(name, chips=8, batch=batch * more), CONSTANTS)
    assert many.itl_s > few.itl_s
    assert many.tokens_per_s > few.tokens_per_s


@given(answer=st.floats(16, 4000), more=st.floats(1.1, 4), batch=st.floats(1, 256))
def test_a_longer_context_is_slower(answer, more, batch):
    short = serve(service(batch=batch, answer=answer), CONSTANTS)
    long = serve(service(batch=batch, answer=answer * more), CONSTANTS)
    assert long.step.cache > short.step.cache


@given(prompt=st.floats(16, 4000), more=st.floats(1.1, 4))
def test_a_longer_prompt_takes_longer_to_its_first_token_and_more_joules(prompt, more):
    short, long = (
        serve(service(batch=64.0, prompt=size), CONSTANTS) for size in (prompt, prompt * more)
    )
    assert long.ttft_s > short.ttft_s
    assert long.j_per_token > short.j_per_token
    assert long.draw.prompt_share > short.draw.prompt_share


@given(batch=st.floats(1, 3000), precision=st.sampled_from(["bf16", "fp8", "fp4"]))
def test_watts_are_between_idle_and_the_limit_and_are_the_sum_of_their_parts(batch, precision):
    draw = serve(service(batch=batch, precision=precision), CONSTANTS).draw
    assert CONSTANTS.idle * 700 * 0.9 < draw.chip_w <= 700
    assert sum(draw.parts_w.values()) == pytest.approx(draw.chip_w)
    assert 0 <= draw.prompt_share < 1


def test_a_batch_of_one_reads_the_chosen_experts_alone():
    step = serve(service("qwen3-30b-a3b", chips=1, batch=1.0), CONSTANTS).step
    assert step.touched == pytest.approx(8 / 128)


def test_replicas_that_share_experts_gather_rows_and_dense_replicas_do_not():
    mixture = service("qwen3-30b-a3b", chips=8, dp=8, ep=8, batch=64.0)
    dense = service("llama3-8b", chips=8, dp=8, batch=64.0)
    alone = service("llama3-8b", chips=1, batch=8.0)
    assert serve(mixture, CONSTANTS).step.messages > 0
    assert serve(dense, CONSTANTS).step.messages == 0
    assert serve(dense, CONSTANTS).itl_s == pytest.approx(serve(alone, CONSTANTS).itl_s)


def test_arrays_give_what_single_services_give():
    batches = np.array([1.0, 16.0, 300.0])
    many = serve(service(batch=batches), CONSTANTS)
    single = [serve(service(batch=batch), CONSTANTS).j_per_token for batch in batches]
    assert many.j_per_token == pytest.approx(single)


def test_without_a_design_power_times_are_known_and_watts_are_not():
    board = replace(Board.of(catalog.chip("h100")), design_w=np.nan)
    known, unknown = (serve(service(**extra), CONSTANTS) for extra in ({}, {"board": board}))
    assert unknown.itl_s == known.itl_s
    assert np.isnan(unknown.j_per_token)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request(model="llama3-70b", chip="h100", chips=4, batch=5000), "at most"),
        (Request(model="llama3-70b", chip="h100", chips=3), "tp 3 does not divide 64 heads"),
        (Request(model="llama3-70b", chip="h100", chips=1), "do not fit in 90 %"),
        (Request(model="llama3-70b", chip="h100", chips=4, tp=2, dp=1), "is 2, not 4 chips"),
        (Request(model="gpt-oss-20b", chip="h100", chips=2, ep=3), "ep 3 does not divide"),
    ],
)
def test_what_cannot_run_says_why(request_, words):
    assert words in resolve(request_, CONSTANTS).problem
