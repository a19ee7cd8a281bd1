"""Texts of a batch: the same tokens as alone, with a place taken over by the next one."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glam.generation.growing import Text, grow
from glam.generation.work import Work
from glam.model.decoder import Glam
from tests.support.small_models import TINY_MIXTURE

MODEL = Glam(TINY_MIXTURE)
for weight in MODEL.parameters():
    torch.nn.init.normal_(weight, std=0.5, generator=torch.Generator().manual_seed(len(weight)))


class Greedy(Text):
    def __init__(self, ids, most):
        super().__init__(list(ids))
        self.end = len(ids) + most

    def has_ended(self):
        return len(self.ids) == self.end


PROMPTS = st.lists(
    st.tuples(st.lists(st.integers(0, 49), min_size=1, max_size=20), st.integers(1, 12)),
    min_size=1,
    max_size=6,
)


@given(prompts=PROMPTS, batch=st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_a_batch_gives_each_prompt_the_tokens_that_it_gets_alone(prompts, batch):
    alone = [Greedy(*prompt) for prompt in prompts]
    for text in alone:
        list(grow(MODEL, [text], 1))
    together, phases, new = [Greedy(*prompt) for prompt in prompts], [], 0

    def around(phase):
        phases.append(phase)
        return torch.no_grad()

    for grown in grow(MODEL, together, batch, around=around):
        assert len(grown) <= batch
        new += len(grown)
    assert [text.ids for text in together] == [text.ids for text in alone]
    assert new == sum(most for _, most in prompts)
    assert phases[0] == "prefill"


@given(prompts=PROMPTS, batch=st.integers(1, 4))
@settings(max_examples=5, deadline=None)
def test_the_work_of_texts_does_not_depend_on_the_batch(prompts, batch):
    counts = []
    for size in (1, batch):
        work = Work()
        list(grow(MODEL, [Greedy(*prompt) for prompt in prompts], size, work=work))
        counts.append((work.tokens, round(work.model_flop), round(work.executed_flop)))
        assert work.executed_flop >= work.model_flop
    assert counts[0] == counts[1]
    # The newest token of a text is never read.
    window = int(TINY_MIXTURE.seq_len)
    if all(len(ids) <= window for ids, _ in prompts):
        assert counts[0][0] == sum(len(ids) + most - 1 for ids, most in prompts)
