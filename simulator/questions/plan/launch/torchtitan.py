"""A plan as the options of torchtitan 0.3.0, for the models that it has."""

from __future__ import annotations

import math

from energy.errors import InputError
from energy.facts.rows import plain_name
from simulator.questions.plan.launch.job import Job

VERSION = "torchtitan 0.3.0"

MODELS = {
    "llama3-8b": ("llama3", "llama3_8b"),
    "llama3-70b": ("llama3", "llama3_70b"),
    "llama3.1-405b": ("llama3", "llama3_405b"),
    "llama3-405b": ("llama3", "llama3_405b"),
    "deepseek-v3": ("deepseek_v3", "deepseek_v3_671b"),
    "qwen3-14b": ("qwen3", "qwen3_14b"),
    "qwen3-32b": ("qwen3", "qwen3_32b"),
    "qwen3-30b-a3b": ("qwen3", "qwen3_30b_a3b"),
    "gpt-oss-20b": ("gpt_oss", "gpt_oss_20b"),
    "gpt-oss-120b": ("gpt_oss", "gpt_oss_120b"),
    "kimi-k2": ("kimi_k2_7", "kimi_k2_5"),
}
"""Module and configuration of a model, by its name in our catalog."""

SCHEDULES = {"zero-bubble": "InterleavedZeroBubble", "zero-bubble-v": "ZBVZeroBubble"}

Options = dict[str, str | int | None]


def options(job: Job) -> Options:
    """The options of a plan.

    Raises:
        InputError: torchtitan has no such model, or does not run the plan.
    """
    known = {plain_name(name): pair for name, pair in MODELS.items()}
    if (pair := known.get(plain_name(job.name))) is None:
        raise InputError(
            "expected a model that torchtitan has: " + ", ".join(sorted(MODELS)),
            job.name,
            "print the plan for another trainer: --launch megatron",
        )
    if job.plan.etp > 1:
        raise InputError(
            "expected etp 1 for torchtitan, whose experts are whole",
            f"etp {job.plan.etp:g}",
            "search without it: --set plan.etp=1",
        )
    module, configuration = pair
    return {
        "--module": module,
        "--config": configuration,
        **_degrees(job),
        **_batch(job),
        "--training.steps": job.steps,
        f"activation_checkpoint:{job.plan.recompute}": None,
    }


def _degrees(job: Job) -> Options:
    plan = job.plan
    whole = plan.zero == 0
    shards = 1 if whole else int(plan.sharded)
    degrees: Options = {
        "--parallelism.tensor_parallel_degree": int(plan.tp),
        "--parallelism.context_parallel_degree": int(plan.cp),
        "--parallelism.data_parallel_shard_degree": shards,
        "--parallelism.data_parallel_replicate_degree": int(plan.dp) // shards,
    }
    if not whole:
        again = "always" if plan.zero == 3 else "never"
        degrees["--parallelism.fsdp_reshard_after_forward"] = again
    if job.shape.n_moe_layers:
        degrees["--parallelism.expert_parallel_degree"] = int(plan.ep)
        within = shards * int(plan.cp) * int(plan.tp)
        if within % int(plan.ep):
            raise InputError(
                "expected ep to divide tp x cp x shards for torchtitan",
                f"ep {plan.ep:g} of {within}",
                "search with ZeRO over all: --set plan.zero=3",
            )
    if plan.tp > 1 and not plan.sequence_parallel:
        degrees["--parallelism.no-enable_sequence_parallel"] = None
    return degrees | (_pipeline(job) if plan.pp > 1 else {})


def _pipeline(job: Job) -> Options:
    plan, layers = job.plan, int(job.shape.n_layers)
    stages = int(plan.pp) * int(plan.vp)
    each = math.ceil(layers / stages)
    if math.ceil(layers / each) != stages:
        raise InputError(
            "expected pipeline stages of equally many layers for torchtitan, but for the last",
            f"{layers} layers over {stages} stages",
            "search with fewer: --set plan.vp=1, or --set plan.pp=N",
        )
    schedule = "Interleaved1F1B" if plan.vp > 1 else "1F1B"
    return {
        "--parallelism.pipeline_parallel_degree": int(plan.pp),
        "--parallelism.pipeline_parallel_schedule": SCHEDULES.get(str(plan.schedule), schedule),
        "--parallelism.pipeline_parallel_layers_per_stage": each,
        "--parallelism.pipeline_parallel_first_stage_less_layers": 0,
        "--parallelism.pipeline_parallel_last_stage_less_layers": 0,
        "--parallelism.pipeline_parallel_microbatch_size": job.micro_batch,
    }


def _batch(job: Job) -> Options:
    local = job.micro_batch * (job.micro_batches if job.plan.pp > 1 else 1)
    return {
        "--training.seq_len": int(job.shape.seq_len),
        "--training.local_batch_size": local,
        "--training.global_batch_size": job.batch,
    }


def notes(job: Job) -> list[str]:
    """What a reader changes before a real run, and where the plan is another."""
    said = ["the configuration names its data and where its tokenizer lies"]
    if job.plan.zero == 1:
        said.append(
            "no ZeRO 1 there: shards that keep gathered weights, whose gradients are "
            "divided too (ZeRO 2)"
        )
    if job.plan.recompute == "selective":
        said.append("its selective recomputation is by operation, not by module")
    return said
