#!/usr/bin/env bash
# torch 2.13.0: Adafactor's step of a matrix depends on the scale of its gradients, a vector's does not.
#
# Adafactor (arXiv:1804.04235) divides a gradient by the root of its second moment. Twice the loss
# gives the same steps, and a gradient a tenth of the usual size gives a step a tenth of the usual.
# torch.optim.Adafactor keeps this for vectors. For matrices it divides the product of the row and
# column moments by their mean, which it takes to be at least eps[0] = 1.2e-7 (float32's epsilon):
# a mean SQUARE, so the floor acts as soon as the root mean square of a gradient is below 3.5e-4, as
# it usually is in a language model. The estimate then is too small, the update too large, and the
# clip at root mean square 1 hides it: every step is of full size, whatever the gradient.
# eps=(1e-30, 1e-3), the paper's numbers, gives steps that do not depend on the scale.
#
# Seen: size of the step (root mean square, 1 is a full one) after 19 equal gradients, for a twentieth
# that is a tenth of them:
#   gradients of 1      matrix 0.107  vector 0.107  matrix with the paper's eps 0.107
#   gradients of 0.0001 matrix 0.390  vector 0.107  matrix with the paper's eps 0.107
#   gradients of 1e-05  matrix 1.020  vector 0.107  matrix with the paper's eps 0.107
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat >"$work/see.py" <<'PY'
import torch

RATE = 0.01


def last_step(scale, shape, **options):
    weight = torch.nn.Parameter(torch.ones(shape))
    optimizer = torch.optim.Adafactor([weight], lr=RATE, weight_decay=0.0, **options)
    gradient = scale * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    for step in range(20):
        weight.grad = gradient / 10 if step == 19 else gradient.clone()
        before = weight.detach().clone()
        optimizer.step()
    return float((weight.detach() - before).square().mean().sqrt()) / RATE


paper = {"eps": (1e-30, 1e-3)}
for scale, seen in ((1.0, 0.107), (1e-4, 0.390), (1e-5, 1.020)):
    matrix, vector = last_step(scale, (64, 64)), last_step(scale, (4096,))
    right = last_step(scale, (64, 64), **paper)
    print(
        f"gradients of {scale:<6g} matrix {matrix:.3f}  vector {vector:.3f}  "
        f"matrix with the paper's eps {right:.3f}"
    )
    assert abs(matrix - seen) < 0.02 and abs(vector - 0.107) < 0.002 and abs(right - 0.107) < 0.002
PY
"$work/venv/bin/python" -W ignore "$work/see.py"
