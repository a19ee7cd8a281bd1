"""Chips of one's own, the names of drivers, and slices that are no chips."""

import tomllib

import pytest

from energy.errors import InputError
from energy.facts import catalog
from energy.facts.own_chip import KEYS, TEMPLATE, read


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my-chip.toml"
    path.write_text(TEMPLATE)
    return path


def test_the_template_is_a_valid_chip_whose_id_reads_it_again(file):
    chip = catalog.chip(str(file))
    assert chip == catalog.chip(chip.id) == read(file)
    assert chip.peak_flop_per_s("bf16") == 9.89e14
    assert chip.status == "assumed"


def test_every_key_that_the_template_shows_exists(file):
    shown = tomllib.loads("\n".join(line.removeprefix("# ") for line in TEMPLATE.splitlines()[3:]))
    assert set(shown) <= set(KEYS)
    file.write_text("\n".join(line.removeprefix("# ") for line in TEMPLATE.splitlines()[3:]))
    assert read(file).price_usd_per_h == 2.5


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("tdp_w", "tpd_w", "tdp_w"),
        ("memory_bytes = 8e10", "", "memory_bytes"),
        ("peak_bf16_flop_per_s", "# peak", "peak_bf16_flop_per_s"),
        ("tdp_w = 700", "tdp_w = -700", "tdp_w"),
        ("tdp_w = 700", "tdp_w = inf", "tdp_w"),
        ("tdp_w = 700", 'tdp_w = "700"', "tdp_w"),
        ("tdp_w = 700", "tdp_w = true", "tdp_w"),
        ("link_domain_chips = 8", "link_domain_chips = 8.5", "link_domain_chips"),
        ('name = "My accelerator"', "name = 3", "name"),
        ("tdp_w = 700", "tdp_w = ", "TOML|my-chip"),
    ],
)
def test_a_key_that_is_wrong_or_absent_is_named(file, old, new, named):
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=named):
        read(file)


def test_a_file_that_is_not_there_says_how_to_write_one(tmp_path):
    with pytest.raises(InputError, match="simulator chips init"):
        catalog.chip(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm5-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm4-80gb"),
        ("NVIDIA A100-PCIE-40GB", "a100-pcie-40gb"),
        ("Tesla V100-SXM2-32GB", "v100-sxm2-32gb"),
        ("Tesla V100-SXM2-16GB", "v100-sxm2-16gb"),
        ("NVIDIA H100 NVL", "h100-nvl-94gb"),
        ("NVIDIA GH200 480GB", "gh200-96gb"),
        ("NVIDIA H200", "h200-sxm5-141gb"),
        ("NVIDIA B200", "b200-sxm-180gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090-24gb"),
        ("Tesla T4", "t4-16gb"),
        ("AMD Instinct MI300X", "mi300x"),
        ("TPU v5 lite", "tpu-v5e"),
        ("TPU v6 lite", "tpu-v6e"),
        ("Trillium", "tpu-v6e"),
        ("Ironwood", "tpu-v7"),
        ("Trainium 2", "trainium2"),
        ("Ascend910B", "ascend-910b"),
        ("Tesla P100-SXM2-16GB", "p100-sxm2-16gb"),
        ("Tesla V100", "v100-sxm2-32gb"),
        ("NVIDIA A100", "a100-sxm4-80gb"),
        ("NVIDIA H100", "h100-sxm5-80gb"),
        ("NVIDIA A10G", "a10g-24gb"),
        ("NVIDIA B300 SXM6 AC", "b300-sxm-288gb"),
        ("NVIDIA GB200 NVL72", "gb200-nvl72"),
        ("AMD Instinct MI300X OAM", "mi300x"),
        ("v7x", "tpu-v7"),
        ("NVIDIA H20", "h20-sxm-96gb"),
        ("NVIDIA B300", "b300-sxm-288gb"),
        ("NVIDIA GB200", "gb200-nvl72"),
        ("NVIDIA GB300", "gb300-nvl72"),
        ("AMD Instinct MI250X", "mi250x"),
        ("AMD Instinct MI325X", "mi325x"),
        ("AMD Instinct MI350X", "mi350x"),
        ("AMD Instinct MI355X", "mi355x"),
        ("AWS Trainium3", "trainium3"),
        ("HL-325L", "gaudi3"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090-32gb"),
        ("NVIDIA L4", "l4-24gb"),
        ("NVIDIA L40S", "l40s-48gb"),
        ("NVIDIA RTX A6000", "rtx-a6000-48gb"),
        ("TPU v5", "tpu-v5p"),
        ("TPU7x", "tpu-v7"),
        ("Ascend 910C", "ascend-910c"),
    ],
)
def test_long_names_and_product_names_find_their_row(name, chip):
    assert catalog.chip(name).id == chip


@pytest.mark.parametrize(
    ("name", "chips"),
    [("tpu-v3-8", 4), ("v3-256", 128), ("v4-8", 4), ("v5e-8", 8), ("v5p-128", 64)],
)
def test_the_name_of_a_slice_says_how_many_chips_it_is(name, chips):
    with pytest.raises(InputError, match=rf"{chips} chips"):
        catalog.chip(name)
