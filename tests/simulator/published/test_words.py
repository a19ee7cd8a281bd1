"""Words in cells of tables: read, or named as not understood; widths solved, eras by their year."""

from __future__ import annotations

from dataclasses import replace

import pytest

from energy.facts import catalog
from energy.shape import parameters, total
from simulator.facts.networks import network_bytes_per_s
from simulator.facts.software import software_of
from simulator.published.publishers import publisher_of
from simulator.published.shipped import calibration_table, published_tables
from simulator.published.tables import Cells
from simulator.published.throughput import parse, read_tables, read_throughput
from simulator.published.words import read_words
from tests.support.tables import DENSE_ROW

ROW = DENSE_ROW | {
    "framework": "DeepSpeed (2025)",
    "chip": "a100-sxm4-80gb",
    "n_chips": "8",
    "zero_fsdp": "ZeRO-3",
    "micro_batch": "2",
    "global_batch_seqs": "64",
    "recompute": "full",
}


def row(**cells):
    table = parse([ROW | cells])
    assert table.skipped == {}
    return table.rows[0]


@pytest.mark.parametrize(
    ("words", "gbit_per_s_of_a_chip"),
    [
        ("800 Gb/s InfiniBand per node", 100),
        ("1600 Gbps RoCE", 200),
        ("8 x 400 Gb/s", 400),
        ("4x200G InfiniBand", 100),
        ("3.2 Tb/s per node", 400),
        ("400 Gb/s per GPU", 400),
        ("50 GB/s per GPU network", 400),
        ("NDR InfiniBand", 400),
        ("8x HDR", 200),
        ("4 x NDR", 200),
        ("ConnectX-7", 400),
    ],
)
def test_a_network_is_read_as_cards_times_speed_or_by_its_generation(words, gbit_per_s_of_a_chip):
    assert network_bytes_per_s(words, 8) == pytest.approx(gbit_per_s_of_a_chip * 1e9 / 8)


@pytest.mark.parametrize(
    "words",
    ["torch.compile", "local batch 8", "DeepEP", "2 slices", "80GB", "900 GB/s NVLink"],
)
def test_words_on_other_things_are_no_network(words):
    assert network_bytes_per_s(words, 8) is None


def test_a_network_that_no_node_of_the_chip_has_is_named_and_not_taken():
    known = row(other_opts="8 x 400 Gb/s")
    assert (known.network_bytes_per_s, known.not_understood) == (50e9, ())
    assert known.chip.network_bytes_per_s == 25e9
    typed = row(other_opts="8 x 4000 Gb/s")
    assert typed.network_bytes_per_s is None
    assert "500 GB/s a chip (a100-sxm4-80gb has 25, which is taken)" in typed.not_understood[0]


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("ZeRO-1", 1),
        ("zero stage 2", 2),
        ("DeepSpeed stage 3", 3),
        ("SHARD_GRAD_OP", 2),
        ("distributed optimizer", 1),
        ("optimizer states sharded", 1),
        ("DDP", 0),
        ("FULL_SHARD", 3),
        ("HSDP", 3),
    ],
)
def test_a_sharding_word_is_a_stage(words, stage):
    assert row(zero_fsdp=words).fields["zero"] == stage


def test_hybrid_sharding_shards_over_the_chips_of_a_node():
    assert row(zero_fsdp="HSDP", chips_per_node="4").fields["shard"] == 4


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("other_opts", "a new trick"),
        ("zero_fsdp", "by moonlight"),
        ("recompute", "custom"),
        ("moe_dispatch", "dropless, natural routing"),
    ],
)
def test_words_that_are_not_understood_are_named_with_their_column(column, words):
    assert any(
        line.startswith(f"{column}: {words}") for line in row(**{column: words}).not_understood
    )


def test_no_word_of_a_shipped_table_is_passed_over():
    for table in (*published_tables(), calibration_table()):
        for known in read_throughput(table).rows:
            for line in known.not_understood:
                assert line.split(": ", 1)[1].strip()


@pytest.mark.parametrize(
    ("words", "modules"),
    [
        ("norm, act", "norms,activations"),
        ("core_attn, moe_act, layernorm", "attention,activations,norms"),
        ("mla_up_proj + mlp", "up_projections,mlp"),
        ("selective (norms and whole expert part)", "norms,experts"),
        ("moe, shared_experts", "experts,shared_experts"),
        ("selective op", "norms,activations,second_products"),
        ("every second matmul", "norms,activations,second_products"),
    ],
)
def test_a_list_of_modules_is_read(words, modules):
    reading = read_words(Cells({"recompute": words}), flash=True)
    assert (reading.fields["recompute"], reading.not_understood) == (modules, [])


def test_recomputation_of_every_second_layer_is_full_in_half_of_them():
    reading = read_words(Cells({"recompute": "selective layer"}), flash=True)
    assert reading.fields == {"recompute": "full", "recompute_share": 0.5}
    assert reading.not_understood == []


def test_plain_selective_is_by_operation_where_the_configurations_of_torchtitan_have_it_so():
    (by_op,) = {
        row(framework="torchtitan", recompute=word).fields["recompute"]
        for word in ("selective", "selective op")
    }
    assert by_op == "norms,activations,second_products"
    assert row(framework="Megatron-LM", recompute="selective").fields["recompute"] == "selective"


def test_a_list_with_an_unknown_module_is_the_nearest_mode_and_said_to_be():
    reading = read_words(Cells({"recompute": "norm, qkv"}), flash=True)
    assert reading.fields["recompute"] == "selective"
    assert reading.not_understood == ["recompute: norm, qkv (taken as selective)"]


def test_a_blank_width_is_solved_from_the_total_of_parameters():
    full = row()
    billions = float(total(parameters(full.shape))) / 1e9
    solved = row(d_ff="", params_total_b=f"{billions}")
    assert solved.shape.d_ff == full.shape.d_ff
    assert any("solved" in line for line in solved.assumed)


def test_a_model_of_the_catalog_stands_for_the_sizes_of_a_row():
    sizes = dict.fromkeys(("layers", "d_model", "d_ff", "gated_ffn", "heads", "vocab"), "")
    named = row(**sizes, model_name="llama3-8b")
    assert named.shape == replace(catalog.model("llama3-8b").shape, seq_len=4096)
    for name, why in (("llama3-9b", "did you mean llama3-8b"), ("jamba-1.5-mini", "several kinds")):
        assert why in parse([ROW | sizes | {"model_name": name}]).skipped["a"]


@pytest.mark.parametrize("cells", [{"params_total_b": ""}, {"params_total_b": "0.5"}])
def test_a_blank_width_without_a_total_that_gives_it_is_refused(cells):
    table = parse([ROW | {"d_ff": ""} | cells])
    assert table.rows == ()
    assert "d_ff" in table.skipped["a"]


def test_the_era_of_a_framework_is_its_year():
    assert software_of("DeepSpeed 2025").name == software_of("PyTorch FSDP").name
    assert software_of("DeepSpeed (2021)").name == "megatron-2021"
    assert software_of("DeepSpeed", "Narayanan et al. 2021").name == "megatron-2021"
    assert software_of("Megatron-LM", "arXiv:2104.04473").name == "megatron-2021"
    assert software_of("Megatron-LM", "arXiv:2504.14960").name == "megatron"
    assert software_of("Megatron-DeepSpeed (2024)").name == "megatron"


def test_one_configuration_under_two_names_of_one_era_differs_by_at_most_15_percent():
    from simulator.fit.pool import published_pool
    from simulator.fit.throughput import evaluate

    rows = [row(framework=name) for name in ("DeepSpeed 2025", "PyTorch FSDP")]
    first, second = evaluate(rows, published_pool()).tokens_per_s
    assert abs(first / second - 1) <= 0.15


@pytest.mark.parametrize("name", ["torchtitan (FSDP2, 2026)", "TorchTitan", "torch titan 0.2"])
def test_a_framework_that_is_spelled_otherwise_is_the_same(name):
    assert row(framework=name).framework == "torchtitan"


def test_pages_of_one_project_are_one_publisher():
    rows = read_tables(published_tables()).rows
    pages = {row.source for row in rows if row.publisher == "NVIDIA Megatron-Bridge"}
    assert len(pages) >= 9
    assert len({row.publisher for row in rows}) < 20 < len({row.source for row in rows})


def test_an_unknown_source_is_its_own_publisher_or_the_owner_of_its_repository():
    assert publisher_of("New paper (arXiv:2601.00001) Table 3", "x").name == (
        publisher_of("New paper (arXiv:2601.00001) Table 5", "x").name
    )
    assert publisher_of("speed notes", "x", "someone/project:docs/speed.md").name == "someone"


def test_how_tuned_a_row_is_must_be_a_known_word():
    assert row(tuned="Baseline").tuned == "baseline"
    table = parse([ROW | {"tuned": "superb"}])
    assert "vendor-tuned" in table.skipped["a"]
