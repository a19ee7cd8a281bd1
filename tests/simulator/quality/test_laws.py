"""Published scaling laws: printed numbers, and properties of every law."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy.errors import InputError
from energy.facts import catalog
from simulator.quality.laws import Size, checks, effective_parameters, law, laws, size_of

EVERY = pytest.mark.parametrize("scaling_law", laws(), ids=lambda item: item.name)
tokens = st.floats(1e9, 1e14)
sizes = st.builds(
    lambda active, expansion, granularity: Size(
        active * (1 + 0.6 * (expansion - 1)),
        active,
        0.02 * active,
        expansion,
        granularity if expansion > 1 else 1.0,
    ),
    st.floats(1e7, 1e12),
    st.sampled_from([1.0, 2.0, 8.0, 32.0, 64.0, 256.0]),
    st.floats(1, 16),
)


@EVERY
@given(sizes, tokens, st.floats(1.01, 100))
def test_more_tokens_give_less_loss_and_never_less_than_the_floor(
    scaling_law, size, amount, factor
):
    assert scaling_law.loss(size, amount * factor) < scaling_law.loss(size, amount)
    assert scaling_law.tokens(size, scaling_law.row["constants"]["e"] * 0.99) is None


@EVERY
@given(sizes, tokens)
def test_the_tokens_for_a_loss_reach_that_loss(scaling_law, size, amount):
    loss = scaling_law.loss(size, amount)
    assert scaling_law.tokens(size, loss) == pytest.approx(amount, rel=1e-6)


@EVERY
@given(st.floats(1e7, 1e12), tokens, st.floats(1.01, 10))
def test_a_larger_dense_model_has_less_loss(scaling_law, active, amount, factor):
    small, large = (Size(n, n, 0.0) for n in (active, active * factor))
    assert scaling_law.loss(large, amount) < scaling_law.loss(small, amount)


@given(st.floats(1e7, 1e14), st.floats(1, 512))
def test_a_mixture_has_at_least_its_active_parameters_as_effective_ones(active, expansion):
    size = Size(active * expansion, active, 0, expansion)
    routings = [item.routing for item in laws() if item.routing]
    assert all(effective_parameters(size, routing) >= active for routing in routings)


@EVERY
def test_every_law_names_its_paper_its_range_and_its_status(scaling_law):
    assert "arXiv:" in scaling_law.source
    assert scaling_law.row["status"] in ("confirmed", "mixed", "unconfirmed")
    assert scaling_law.row["parameters"][0] < scaling_law.row["parameters"][1]
    assert scaling_law.row["tokens"][0] < scaling_law.row["tokens"][1]


# Hoffmann et al. 2022 (arXiv:2203.15556): 70B and 1.4T tokens: 1.69 + 0.0838 + 0.1633.
def test_hoffmanns_law_gives_the_loss_of_chinchilla():
    chinchilla = Size(70e9, 70e9, 0)
    assert law("hoffmann-2022").loss(chinchilla, 1.4e12) == pytest.approx(1.937, abs=5e-4)


# arXiv:2404.10102: at Chinchilla's budget the best number of tokens per parameter is near 20, as
# Chinchilla was trained; minimize over N at 6 N D = 5.76e23.
def test_besiroglus_law_gives_chinchillas_tokens_per_parameter():
    refit = law("besiroglu-2024")
    sizes = [10 ** (10 + i / 400) for i in range(800)]
    best = min(sizes, key=lambda n: refit.loss(Size(n, n, 0), 5.76e23 / 6 / n))
    assert 5.76e23 / 6 / best / best == pytest.approx(18.4, rel=0.05)


# Krajewski et al. 2024 (arXiv:2402.07871), table 2: best models at a budget, with the loss that the
# unrounded law predicts. N = d^2 (8 E + 4) n with 12 d^2 n active, E = 64.
KRAJEWSKI = [
    (100e6, 4.37e9, 8, 3.133),
    (1e9, 28.94e9, 16, 2.491),
    (3e9, 72.90e9, 16, 2.245),
    (7e9, 137.60e9, 32, 2.076),
    (70e9, 941.07e9, 32, 1.694),
    (300e9, 2.96e12, 64, 1.503),
    (1e12, 7.94e12, 64, 1.367),
]


@pytest.mark.parametrize("row", KRAJEWSKI, ids=lambda row: f"64 x {row[0]:g}")
def test_krajewskis_table_is_reproduced_within_the_rounding_of_its_constants(row):
    active, amount, granularity, loss = row
    size = Size(active / 12 * (8 * 64 + 4), active, 0.0, 64.0, granularity)
    assert law("krajewski-2024").loss(size, amount) == pytest.approx(loss, rel=0.01)


# Clark et al. 2022 (arXiv:2202.01169): 5M active with 128 experts has 55M effective
# parameters; S-BASE stops helping at 937B.
def test_effective_parameters_match_those_of_clark():
    sbase = law("besiroglu-2024").routing
    assert effective_parameters(Size(5e6 * 100, 5e6, 0, 128.0), sbase) == pytest.approx(
        55e6, rel=0.07
    )
    assert effective_parameters(Size(1e13, 937e9, 0, 64.0), sbase) == pytest.approx(937e9, rel=1e-6)
    assert effective_parameters(Size(1e13, 2e12, 0, 64.0), sbase) == 2e12


# Published: GLaM 64B/64E at 280B tokens has about the scores of GPT-3 at 300B (arXiv:2112.06905).
# The laws are of other corpora and much smaller models: their spread has to contain it, no single
# law has to.
def test_the_published_tokens_of_glam_are_within_the_spread_of_the_laws():
    every = [check for item in laws() for check in checks(item)]
    assert {check.published for check in every} == {280e9}
    needed = [check.by_law for check in every]
    assert None not in needed
    assert min(needed) < 280e9 < max(needed)
    # The default law is 22 % off.
    (default,) = checks(law("besiroglu-2024"))
    assert default.by_law / default.published == pytest.approx(1.22, abs=0.01)


def test_a_size_has_the_expansion_and_granularity_of_its_shape():
    glam = size_of(catalog.model("glam-64b-64e").shape)
    assert (glam.expansion, glam.granularity) == (32, 2)
    assert glam.active == pytest.approx(96.6e9, rel=0.005)
    dense = size_of(catalog.model("gpt3-175b").shape)
    assert dense.dense
    assert dense.total == dense.active


def test_the_distance_from_the_fitted_range_is_in_decades():
    hoffmann = law("hoffmann-2022")
    assert hoffmann.decades_outside(Size(1e9, 1e9, 0), 1e11) == 0
    assert hoffmann.decades_outside(Size(160e9, 160e9, 0), 5e12) == pytest.approx(2)
    assert math.isclose(hoffmann.decades_outside(Size(1e9, 1e9, 0), 5e8), 1)


def test_an_unknown_law_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean"):
        law("hoffman-2022")
