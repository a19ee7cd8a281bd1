"""A plan as a run of our own trainer under torchrun: experts shared out, the rest in shards."""

from __future__ import annotations

from energy.errors import InputError
from energy.facts import catalog
from simulator.questions.plan.launch.job import Job

VERSION = "glam-energy"

WHOLE = {"tp": "tensor", "pp": "pipeline", "cp": "context", "etp": "tensor"}
"""Degrees of a plan that the trainer does not have, and what they are parallel over."""

Options = dict[str, str | int | None]


def options(job: Job) -> Options:
    """The options of `glam train` for a plan.

    Raises:
        InputError: it does not run such a plan, or trains no such model.
    """
    plan = job.plan
    for degree, kind in WHOLE.items():
        if getattr(plan, degree) > 1:
            raise InputError(
                f"expected {degree} 1 for torchrun: glam train has no {kind} parallelism",
                f"{degree} {getattr(plan, degree):g}",
                f"search without it: --set plan.{degree}=1",
            )
    if plan.recompute != "none":
        raise InputError(
            "expected a plan without recomputation for torchrun: glam train keeps activations",
            f"recompute {plan.recompute}",
            "search without it: --set plan.recompute=none",
        )
    row = catalog.known_model(job.name)
    if row is None or row.shape != job.shape:
        raise InputError(
            "expected a model of the catalog for torchrun",
            f"{job.name}, which is none or has another shape there",
            "list those that it trains with: glam sizes",
        )
    if not (row.shape.relative_buckets or row.shape.position_rows):
        raise InputError(
            "expected a GLaM or a GPT for torchrun, which glam train builds",
            job.name,
            "list those that it trains with: glam sizes",
        )
    chosen: Options = {
        "--model": f"{job.name}.toml" if job.micro_batches > 1 else row.name,
        "--out": f"runs/{job.name}",
        "--batch": job.batch,
        "--steps": job.steps,
    }
    if plan.ep > 1:
        chosen["--expert-parallel"] = int(plan.ep)
        chosen["--data-parallel"] = int(plan.expert_dp)
    if plan.zero:
        chosen["--shard"] = None
    return chosen


def configuration(job: Job) -> str:
    """The file that says in how many micro-batches a batch is computed; empty for one."""
    if job.micro_batches == 1:
        return ""
    return (
        f"cat >{job.name}.toml <<'END'\n"
        f'model = "{job.name}"\n\n[training]\nbatch_sequences = {job.batch}\n'
        f"gradient_accumulation = {job.micro_batches}\nEND\n"
    )


def notes(job: Job) -> list[str]:
    """Where the run differs from the plan."""
    said = ["it trains on this machine's Python library: name your text with --data"]
    if job.plan.zero in (1, 2):
        said.append("--shard divides the weights too, as ZeRO 3 does")
    return said
