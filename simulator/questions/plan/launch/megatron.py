"""A plan as the options of Megatron-LM: those of the parser in megatron-core 0.19.2."""

from __future__ import annotations

import math

from energy.errors import InputError
from energy.shape import Shape
from simulator.questions.plan.launch.job import Job

VERSION = "megatron-core 0.19.2"

Options = dict[str, str | int | None]

ABSENT = {
    "n_recurrent_layers": "layers with a recurrence",
    "n_network_layers": "layers without attention",
    "n_mixer_layers": "layers without a network",
    "others": "layers of other shapes",
    "d_layer_input": "an embedding for each layer",
    "n_dense_beside_moe": "dense networks beside experts",
    "n_zero_experts": "experts that compute nothing",
    "d_latent_expert": "latent experts",
    "index_heads": "an indexer of positions",
}
"""Fields of a shape that these options do not build, and what they mean."""

SHARDED = {2: "optim_grads", 3: "optim_grads_params"}


def options(job: Job) -> Options:
    """The options of a plan and of its model.

    Raises:
        InputError: Megatron does not build this model.
    """
    for field, words in ABSENT.items():
        if getattr(job.shape, field):
            raise InputError(
                "expected a model of attention, dense networks and experts for megatron",
                f"{job.name} with {words}",
                "take its degrees from simulator plan without --launch",
            )
    return {
        **_degrees(job),
        **_memory(job),
        **_model(job.shape),
        "--bf16": None,
        **({"--fp8-format": "hybrid"} if job.precision == "fp8" else {}),
        "--train-iters": job.steps,
        "--lr": "1e-4",
        "--mock-data": None,
        "--tokenizer-type": "NullTokenizer",
        "--vocab-size": int(job.shape.vocab_size),
    }


def _degrees(job: Job) -> Options:
    plan, shape = job.plan, job.shape
    degrees: Options = {
        "--tensor-model-parallel-size": int(plan.tp),
        "--pipeline-model-parallel-size": int(plan.pp),
        "--context-parallel-size": int(plan.cp),
    }
    stages = int(plan.pp) * int(plan.vp)
    if int(shape.n_layers) % stages:
        degrees["--pipeline-model-parallel-layout"] = f"'{layout(int(shape.n_layers), stages)}'"
    elif plan.vp > 1:
        degrees["--num-virtual-stages-per-pipeline-rank"] = int(plan.vp)
    if shape.n_moe_layers:
        degrees["--expert-model-parallel-size"] = int(plan.ep)
        degrees["--expert-tensor-parallel-size"] = int(plan.etp)
    if plan.tp > 1 and plan.sequence_parallel:
        degrees["--sequence-parallel"] = None
    return degrees | {
        "--micro-batch-size": job.micro_batch,
        "--global-batch-size": job.batch,
    }


def layout(layers: int, stages: int) -> str:
    """Layers of stages of unequal length, the longer ones first: "Et*2|t*2|tL" of 5 over 3.

    E is the embedding, t a layer, L the output and its loss.
    """
    shares = [layers // stages + (stage < layers % stages) for stage in range(stages)]
    parts = [f"t*{share}" if share > 1 else "t" * share for share in shares]
    return f"E{'|'.join(parts)}L"


def _memory(job: Job) -> Options:
    plan = job.plan
    kept: Options = {}
    if plan.zero == 1:
        kept["--use-distributed-optimizer"] = None
        kept["--overlap-grad-reduce"] = None
        kept["--overlap-param-gather"] = None
        if plan.sharded < plan.dp:
            kept["--num-distributed-optimizer-instances"] = int(plan.dp / plan.sharded)
    elif plan.zero > 1:
        kept["--use-megatron-fsdp"] = None
        kept["--data-parallel-sharding-strategy"] = SHARDED[int(plan.zero)]
        kept["--use-distributed-optimizer"] = None
        kept["--ckpt-format"] = "fsdp_dtensor"
        kept["--no-gradient-accumulation-fusion"] = None
    if plan.recompute == "full":
        kept["--recompute-granularity"] = "full"
        kept["--recompute-method"] = "block" if plan.recompute_share < 1 else "uniform"
        a_stage = math.ceil(int(job.shape.n_layers) / int(plan.pp * plan.vp))
        share = math.ceil(float(plan.recompute_share) * a_stage)
        kept["--recompute-num-layers"] = share if plan.recompute_share < 1 else 1
    elif plan.recompute == "selective":
        kept["--recompute-granularity"] = "selective"
        mixture = " moe_act" if job.shape.n_moe_layers else ""
        kept["--recompute-modules"] = f"layernorm{mixture}" if plan.flash else "core_attn"
    return kept


def _model(shape: Shape) -> Options:
    built: Options = {
        "--num-layers": int(shape.n_layers),
        "--hidden-size": int(shape.d_model),
        "--num-attention-heads": int(shape.n_heads),
        "--ffn-hidden-size": int(shape.d_ff or shape.d_expert),  # not used where all are mixtures
        "--seq-length": int(shape.seq_len),
        "--max-position-embeddings": int(max(shape.seq_len, shape.position_rows)),
        "--position-embedding-type": "learned_absolute" if shape.position_rows else "rope",
        "--normalization": "RMSNorm" if shape.norm_vectors == 1 else "LayerNorm",
    }
    if shape.ffn_matrices == 3:
        built["--swiglu"] = None
    if not shape.ffn_bias:
        built["--disable-bias-linear"] = None
    if not shape.tied_embedding:
        built["--untie-embeddings-and-output-weights"] = None
    return built | _attention(shape) | _experts(shape)


def _attention(shape: Shape) -> Options:
    built: Options = {}
    if shape.kv_rank:
        built["--multi-latent-attention"] = None
        if shape.q_rank:
            built["--q-lora-rank"] = int(shape.q_rank)
        built["--kv-lora-rank"] = int(shape.kv_rank)
        built["--qk-head-dim"] = int(shape.d_head)
        built["--qk-pos-emb-head-dim"] = int(shape.d_rope)
        built["--v-head-dim"] = int(shape.d_value or shape.d_head)
    else:
        built["--kv-channels"] = int(shape.d_head)
        if shape.n_kv_heads < shape.n_heads:
            built["--group-query-attention"] = None
            built["--num-query-groups"] = int(shape.n_kv_heads)
    if shape.qk_norm:
        built["--qk-layernorm"] = None
    return built


def _experts(shape: Shape) -> Options:
    if not shape.n_moe_layers:
        return {}
    layers, mixtures = int(shape.n_layers), int(shape.n_moe_layers)
    built: Options = {
        "--num-experts": int(shape.n_experts),
        "--moe-router-topk": int(shape.top_k),
        "--moe-ffn-hidden-size": int(shape.d_expert),
        "--moe-layer-freq": f"'{_frequency(layers, mixtures)}'",
        "--moe-token-dispatcher-type": "alltoall",
        "--moe-grouped-gemm": None,
    }
    if shape.n_shared_experts:
        width = int(shape.n_shared_experts) * int(shape.d_shared or shape.d_expert)
        built["--moe-shared-expert-intermediate-size"] = width
    return built


def _frequency(layers: int, mixtures: int) -> str:
    """Which layers are mixtures: every k-th where that divides, else all but the first."""
    if layers % mixtures == 0:
        every = layers // mixtures
        return f"([0]*{every - 1}+[1])*{mixtures}" if every > 1 else f"[1]*{layers}"
    return f"[0]*{layers - mixtures}+[1]*{mixtures}"


def notes(job: Job) -> list[str]:
    """What a reader changes before a real run, and what these options leave out."""
    shape = job.shape
    said = ["data, tokenizer and learning rate are stand-ins; the optimizer is Megatron's default"]
    if shape.relative_buckets:
        said.append("its GPT has no relative position bias: rope in its place")
    if shape.n_window_layers:
        said.append("sliding windows are left out")
    if shape.n_prediction_layers:
        said.append("layers of multi-token prediction are left out")
    return said
