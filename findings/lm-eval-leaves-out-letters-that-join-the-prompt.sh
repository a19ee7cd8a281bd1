#!/usr/bin/env bash
# lm-eval 0.4.13: an option whose first letters join the last token of the prompt is scored without them.
#
# The tokens of an option are those of prompt and option together, less as many as the prompt has by
# itself. Where a merge of the tokenizer reaches over the boundary, the joined token stands at the place
# of the last one of the prompt and is cut off with it: after "im", "port" is scored as "ort", with no
# message, and the model is given a prompt that the option does not continue. An option of which nothing
# is left ("p") ends in an AssertionError without text. Options that begin with a space are safe in most
# tokenizers; completions of a word, of code or of digits are not.
#
# Seen, for a byte tokenizer with one merge (m + p) and a model with random weights:
#   "im" + "port": prompt ['i', 'm'], option ['o', 'r', 't']
#   log-likelihood of "port" after "im" equals that of "ort" after "im": True
#   "im" + "p": AssertionError ''
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6 lm_eval==0.4.13 transformers==5.24.0 tokenizers==0.23.3 accelerate==1.15.0
cat >"$work/see.py" <<'PY'
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

words = ["<end>", *sorted(pre_tokenizers.ByteLevel.alphabet()), "mp"]
bytes_ = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, merges=[("m", "p")]))
bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
bytes_.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=bytes_, eos_token="<end>", pad_token="<end>"
)
torch.manual_seed(0)
size = GPT2Config(vocab_size=len(words), n_positions=32, n_embd=16, n_layer=1, n_head=2)
reader = HFLM(pretrained=GPT2LMHeadModel(size).eval(), tokenizer=tokenizer, device="cpu", max_length=32)


def nats(prompt, option):
    request = Instance("loglikelihood", {}, (prompt, option), 0)
    return reader.loglikelihood([request], disable_tqdm=True)[0][0]


prompt, option = map(tokenizer.convert_ids_to_tokens, reader._encode_pair("im", "port"))
print(f'"im" + "port": prompt {prompt}, option {option}')
assert (prompt, option) == (["i", "m"], ["o", "r", "t"])
same = abs(nats("im", "port") - nats("im", "ort")) < 1e-5
print(f'log-likelihood of "port" after "im" equals that of "ort" after "im": {same}')
assert same
try:
    nats("im", "p")
except AssertionError as error:
    print(f'"im" + "p": AssertionError {str(error)!r}')
else:
    raise SystemExit("an option without a token has a score now")
PY
"$work/venv/bin/python" -W ignore "$work/see.py"
