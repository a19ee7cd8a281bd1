"""Our model through lm-eval gives what lm-eval's own adapter of transformers gives."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PretrainedConfig, PreTrainedModel
from transformers import PreTrainedTokenizerFast as FastTokenizer

from energy.flops import forward_flop
from glam.data.tokenizer import END
from glam.evaluation.model import GlamLM
from glam.model.decoder import Glam
from tests.glam.model.test_gpt import SHAPE, counterpart
from tests.support.small_models import TINY_MIXTURE

LETTERS = sorted(pre_tokenizers.ByteLevel.alphabet())
WINDOW = 40
TEXTS = [
    ("Question: is it late?\nAnswer:", " yes"),
    ("Question: is it late?\nAnswer:", " no"),
    ("A cat", " sat on the mat"),
    ("A cat with a space at the end ", "sat"),
    ("", "nothing before"),
    ("A prompt that is much longer than the window of the model, so that it is cut.", " It is."),
    ("é", "à la carte"),
]


class Letters:
    """A tokenizer of bytes, for our model and for transformers alike."""

    def __init__(self, *merges):
        words = [*LETTERS, *map("".join, merges)]
        vocabulary = {"<end>": END, **{word: i + 1 for i, word in enumerate(words)}}
        tokens = Tokenizer(models.BPE(vocabulary, merges=list(merges)))
        tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokens.decoder = decoders.ByteLevel()
        self.fast = FastTokenizer(tokenizer_object=tokens, eos_token="<end>", pad_token="<end>")

    def encode(self, text):
        return self.fast.encode(text, add_special_tokens=False)

    def decode(self, tokens):
        return self.fast.decode([token for token in tokens if token != END])


class Thin(PreTrainedModel):
    """A model of transformers whose forward pass is ours."""

    config_class = PretrainedConfig

    def __init__(self, model):
        super().__init__(PretrainedConfig(vocab_size=257, n_positions=int(model.shape.seq_len)))
        self.ours = model

    def forward(self, input_ids, **_):
        states, _ = self.ours.hidden_states(input_ids)
        return SimpleNamespace(logits=states @ self.ours.embedding.T)


def shaken(model):
    """A model whose weights are far from their initial values, where all tokens are alike."""
    generator = torch.Generator().manual_seed(3)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=generator)
    return model.eval()


def mixture():
    ours = shaken(Glam(replace(TINY_MIXTURE, vocab_size=257, seq_len=WINDOW)))
    return ours, Thin(ours)


def gpt2():
    ours = shaken(Glam(replace(SHAPE, vocab_size=257, seq_len=WINDOW, position_rows=WINDOW)))
    config = GPT2Config(
        vocab_size=257,
        n_positions=WINDOW,
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_inner=72,
        activation_function="gelu",
        bos_token_id=END,
        eos_token_id=END,
    )
    theirs = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for name, weight in theirs.named_parameters():
            weight.copy_(counterpart(ours, name, lambda parameter: parameter, bias_like=weight))
    return ours, theirs


def requests(kind, arguments):
    return [Instance(kind, {}, argument, 0) for argument in arguments]


@pytest.mark.parametrize("twins", [gpt2, mixture])
@pytest.mark.parametrize("batch_tokens", [1, 4096])
def test_likelihoods_are_those_of_lm_evals_own_adapter(twins, batch_tokens):
    ours, theirs = twins()
    letters = Letters()
    batch = requests("loglikelihood", TEXTS)
    expected = HFLM(theirs, tokenizer=letters.fast, batch_size=2).loglikelihood(batch)
    model = GlamLM(ours, letters, batch_tokens)
    scores = model.loglikelihood(batch)
    for (score, greedy), (reference, likeliest) in zip(scores, expected, strict=True):
        assert score == pytest.approx(reference, abs=1e-4)
        assert greedy == likeliest
    assert model.work.cut == 1


@pytest.mark.parametrize("twins", [gpt2, mixture])
def test_a_text_longer_than_the_window_has_the_rolling_likelihood_of_lm_evals_own_adapter(twins):
    ours, theirs = twins()
    letters = Letters()
    batch = requests("loglikelihood_rolling", [("It is long. " * 9,), ("Short.",)])
    expected = HFLM(theirs, tokenizer=letters.fast, batch_size=2).loglikelihood_rolling(batch)
    assert GlamLM(ours, letters).loglikelihood_rolling(batch) == pytest.approx(expected, abs=1e-3)


def test_greedy_text_is_that_of_lm_evals_own_adapter():
    ours, theirs = gpt2()
    letters = Letters()
    settings = {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}
    prompts = ["The sea is", "An apple a day, and then some more apples every other day of", "x"]
    batch = requests("generate_until", [(prompt, dict(settings)) for prompt in prompts])
    expected = HFLM(theirs, tokenizer=letters.fast, batch_size=1).generate_until(batch)
    assert GlamLM(ours, letters).generate_until(batch) == expected


def test_an_option_longer_than_the_window_is_scored_in_pieces():
    ours, _ = mixture()
    model = GlamLM(ours, Letters())
    option = " and so on" * 10
    [(score, _)] = model.loglikelihood(requests("loglikelihood", [("It goes on", option)]))
    per_letter = score / len(option)
    [(short, _)] = model.loglikelihood(requests("loglikelihood", [("It goes on", option[:30])]))
    assert per_letter == pytest.approx(short / 30, rel=0.5)


def options_of(prompt, count):
    return [(prompt, f" option {'x' * number}{number}") for number in range(count)]


@pytest.mark.parametrize("twins", [gpt2, mixture])
def test_options_that_share_a_row_have_the_likelihoods_they_have_alone(twins):
    ours, _ = twins()
    arguments = [pair for prompt in ("Is it?", "A cat", "") for pair in options_of(prompt, 5)]
    batch = requests("loglikelihood", arguments)
    together = GlamLM(ours, Letters())
    scores = together.loglikelihood(batch)
    alone = GlamLM(ours, Letters())
    for request, (score, greedy) in zip(batch, scores, strict=True):
        [(expected, likeliest)] = alone.loglikelihood([request])
        assert score == pytest.approx(expected, abs=1e-4)
        assert greedy == likeliest
    assert together.work.tokens < alone.work.tokens


def test_flop_of_a_shared_prompt_count_once():
    ours, _ = mixture()
    model = GlamLM(ours, Letters())
    model.loglikelihood(requests("loglikelihood", [("Is it?", " yes"), ("Is it?", " no")]))
    flop = forward_flop(replace(ours.shape, seq_len=np.array([6, 9, 8])))
    body = sum(np.broadcast_to(n, 3) for name, n in flop.items() if name != "logits")
    assert model.work.tokens == 6 + 3 + 2
    assert model.work.model_flop == pytest.approx(
        body @ [6, 3, 2] + 7 * float(forward_flop(ours.shape)["logits"])
    )


def test_an_option_whose_letters_join_the_token_before_it_is_encoded_by_itself():
    tokenizer = Letters(("m", "p"))
    reader = GlamLM(Glam(replace(TINY_MIXTURE, vocab_size=258)), tokenizer)
    assert len(tokenizer.encode("im")) == len(tokenizer.encode("imp"))
    assert reader._encode_pair("im", "p") == (tokenizer.encode("im"), tokenizer.encode("p"))
    assert reader._encode_pair("im", "port") == (
        tokenizer.encode("im"),
        tokenizer.encode("import")[2:],
    )
