"""The verb `serve`: joules and latency of a served model, over batches, and the best plan."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from energy.app import Csv, Json, Pue, Zone, examples
from simulator.kit.answer import Answer, present
from simulator.kit.options import (
    Batch,
    ChipPrice,
    Explain,
    Osl,
    Plot,
    Prompt,
    Reserve,
    ServedBy,
    ServedOn,
    Weights,
)

if TYPE_CHECKING:
    from simulator.serving.request import Request

Load = Annotated[
    str | None, typer.Option(metavar="RUN", help="Load of experts: a run's log, or uniform.")
]
Tp = Annotated[int | None, typer.Option(help="Chips that attention is sliced over.")]
Ep = Annotated[int | None, typer.Option(help="Chips that experts are spread over.")]
Dp = Annotated[int | None, typer.Option(help="Replicas of the attention.")]
Cache = Annotated[str, typer.Option(help="Cache: bf16, fp8, int8.")]
Draft = Annotated[int, typer.Option(help="Tokens that are proposed and checked at once.")]
Acceptance = Annotated[float, typer.Option(help="Probability that one of them is right.")]
Limit = Annotated[float | None, typer.Option(min=0, help="With --plan: limit of the latency.")]
Sweep = Annotated[bool, typer.Option("--sweep", help="All batches that fit, and the knee.")]
Plan = Annotated[bool, typer.Option("--plan", help="The degrees and batch with fewest joules.")]
Constants = Annotated[
    Path | None, typer.Option(help="A file of constants instead of the published fit.")
]
OneMachine = Annotated[
    Path | None,
    typer.Option(help="A machine of simulator calibrate, where glam generate answers."),
]
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A model, a preset or a config.json; published-prompt is a published example.",
    ),
]


@examples(
    "simulator serve llama3-70b --chip h100 --chips 4 --batch 64 --isl 500 --osl 300",
    "simulator serve qwen3-235b-a22b --chip h100 --chips 8 --precision fp8 --sweep --plot knee.png",
    "simulator serve gpt-oss-120b --chip b200 --chips 8 --precision fp4 --plan --max-itl-ms 20",
    "simulator serve published-prompt",
    "simulator serve glam-mini-16e --machine machine.toml --batch 8 --isl 16 --osl 100",
)
def serve(
    model: Model,
    chip: ServedOn = "h100",
    chips: ServedBy = 1,
    batch: Batch = 16,
    isl: Prompt = 512,
    osl: Osl = 512,
    tp: Tp = None,
    ep: Ep = None,
    dp: Dp = None,
    precision: Weights = "bf16",
    kv_precision: Cache = "bf16",
    load: Load = None,
    draft: Draft = 0,
    acceptance: Acceptance = 0.0,
    sweep: Sweep = False,
    plan: Plan = False,
    machine: OneMachine = None,
    max_itl_ms: Limit = None,
    max_ttft_ms: Limit = None,
    zone: Zone = None,
    pue: Pue = None,
    chip_price: ChipPrice = None,
    reserve: Reserve = None,
    constants: Constants = None,
    explain: Explain = False,
    plot: Plot = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Predict joules a token, latency and memory of a served model.

    Prefill and decode apart, up to the facility, with CO2, water and cost.
    """
    options = dict(locals())
    site = {name: options[name] for name in ("zone", "pue", "chip_price", "reserve", "constants")}
    limits = {"max_itl_ms": max_itl_ms, "max_ttft_ms": max_ttft_ms}
    answer = _answer(options, site, limits, sweep=sweep, plan=plan)
    present(answer, as_json=as_json, as_csv=as_csv, explain=explain, plot=plot)
    if hasattr(answer, "require_runs"):
        answer.require_runs()


def _answer(
    options: dict[str, Any],
    site: dict[str, Any],
    limits: dict[str, float | None],
    *,
    sweep: bool,
    plan: bool,
) -> Answer:
    """The answer to some options."""
    from energy.errors import InputError

    if any(limit is not None for limit in limits.values()) and not plan:
        raise InputError("expected --plan with --max-itl-ms or --max-ttft-ms", "no --plan")
    if sweep and plan:
        raise InputError("expected one of --sweep and --plan", "both")
    _refuse_unused(options, sweep=sweep, plan=plan)
    if options["model"] == "published-prompt":
        from simulator.questions.serve.prompt import published

        return published()
    if options["machine"] is not None:
        from simulator.questions.serve.machine import of_options

        return of_options(options)
    if plan:
        from simulator.questions.serve.plans import best_plan

        return best_plan(_request(options), constants=site["constants"], **limits)
    if sweep:
        from simulator.questions.serve.batches import over_batches

        return over_batches(_request(options), site["constants"])
    from simulator.questions.serve.answer import of_request

    return of_request(_request(options), **site)


NOT_ON_A_MACHINE = (
    *("chip", "chips", "tp", "ep", "dp", "precision", "kv_precision", "draft", "acceptance"),
    *("sweep", "plan", "reserve", "constants", "explain"),
)
"""What an answer on a machine has no use for."""


def _refuse_unused(options: dict[str, Any], *, sweep: bool, plan: bool) -> None:
    """Refuse what --sweep, --plan and --machine would leave out in silence."""
    from energy.errors import InputError

    if options["machine"] is not None:
        defaults = inspect.signature(serve).parameters
        for name in NOT_ON_A_MACHINE:
            if options[name] != defaults[name].default:
                raise InputError(
                    f"expected --machine without --{name.replace('_', '-')}",
                    "both",
                    "glam generate answers on one machine, in float32",
                )

    unused = ("zone", "pue", "chip_price", "reserve", "explain")
    named = [name for name in unused if options[name] not in (None, False)]
    if named and (sweep or plan):
        raise InputError(
            f"expected --{named[0].replace('_', '-')} without --sweep and --plan",
            "both",
            "their joules are those of the chips; name a batch of theirs with --batch instead",
        )


def _request(options: dict[str, Any]) -> Request:
    from dataclasses import fields

    from simulator.serving.request import Request

    return Request(**{item.name: options[item.name] for item in fields(Request)})
