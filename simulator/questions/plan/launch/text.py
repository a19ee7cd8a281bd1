"""The text that starts a training by the best plan, for a trainer or a scheduler."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from energy.errors import InputError
from energy.facts import catalog
from simulator.physics.plan import Plan
from simulator.questions.plan.launch import megatron, ours, torchtitan
from simulator.questions.plan.launch.job import Job, lines_of
from simulator.questions.plan.launch.tools import require_tool
from simulator.runs.setup import Setup

BATCH_SCRIPT = """#SBATCH --job-name={name}
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node={per_node}
#SBATCH --requeue"""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A training by a plan, ready to start.

    Attributes:
        tool: one of `simulator.questions.plan.launch.tools.TOOLS`.
        trainer: whose options these are, with its version.
        options: of the trainer, by name; None where an option has no value.
        text: a script for bash.
        notes: what to change in it, and where it differs from the plan.
    """

    tool: str
    trainer: str
    options: dict[str, str | int | None]
    text: str
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Its fields as plain data."""
        return asdict(self) | {"notes": list(self.notes)}


def launch(setup: Setup, plan: Plan, by: str, tool: str) -> Launch:
    """A plan as a command, in the names that a trainer gives its options.

    Args:
        setup: of the scenario.
        plan: with all its degrees.
        by: what it is the best of.
        tool: torchrun (our own trainer), megatron, torchtitan, or slurm: a batch script that starts
            megatron on every node, meters each rank and merges them.

    Raises:
        InputError: an unknown tool, or one that cannot run this plan or this model; with the option
            that makes it possible.
    """
    require_tool(tool)
    job = _job(setup, plan, by)
    if tool == "torchrun":
        words = job.torchrun(("-m", "glam", "train"))
        chosen, notes, trainer = ours.options(job), ours.notes(job), ours.VERSION
        body = ours.configuration(job) + lines_of(words, chosen)
    elif tool == "torchtitan":
        words = job.torchrun(("-m", "torchtitan.train"))
        chosen, notes, trainer = torchtitan.options(job), torchtitan.notes(job), torchtitan.VERSION
        body = lines_of(words, chosen)
    else:
        chosen, notes, trainer = megatron.options(job), megatron.notes(job), megatron.VERSION
        notes = ["start it in a checkout of Megatron-LM", *notes]
        if tool == "slurm":
            body = _in_slurm(job, chosen)
        else:
            body = lines_of(job.torchrun(("pretrain_gpt.py",)), chosen)
    notes = [*job.batch_note, *notes]
    if job.nodes > 1 and tool != "slurm":
        notes = ["start it on every node, with HEAD set to the name of the first", *notes]
    head = ["#!/usr/bin/env bash"]
    if tool == "slurm":
        head.append(BATCH_SCRIPT.format(name=job.name, nodes=job.nodes, per_node=job.per_node))
    remarks = [job.heading, f"options of {trainer}", *notes]
    head += [f"# {remark}" for remark in remarks]
    text = "\n".join([*head, "set -euo pipefail", "", body])
    return Launch(tool=tool, trainer=trainer, options=chosen, text=text, notes=tuple(notes))


def _job(setup: Setup, plan: Plan, by: str) -> Job:
    scenario = setup.scenario
    chip = scenario.hardware.chip
    assert chip is not None, "a plan is for chips of the catalog"
    row = catalog.chip(chip)
    if row.kind != "gpu":
        raise InputError(
            "expected GPUs for --launch: its trainers run on no others",
            row.id,
            "plan for GPUs: --chip h100",
        )
    return Job(
        name=scenario.model.preset or scenario.name,
        chip=row.id,
        precision=scenario.hardware.precision,
        shape=setup.shape,
        plan=plan,
        link_domain_chips=int(setup.hardware.link_domain_chips),
        tokens=float(setup.tokens),
        by=by,
    )


def _in_slurm(job: Job, chosen: dict[str, str | int | None]) -> str:
    """A rank for each accelerator, metered, under one torchrun a node."""
    words = [
        "srun torchrun",
        '--nnodes="$SLURM_JOB_NUM_NODES"',
        f"--nproc-per-node={job.per_node}",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=\"${nodes%%$'\\n'*}:29500\"",
        '--rdzv-id="$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}"',
        '--no-python energy run --out "runs/$SLURM_JOB_ID" -- python pretrain_gpt.py',
    ]
    return "\n".join(
        [
            'nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST")',
            lines_of(words, chosen),
            "",
            'energy merge "runs/$SLURM_JOB_ID"',
        ]
    )
