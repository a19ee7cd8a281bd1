"""From a caller's words to a service: a model, a chip, how many, split how, at which load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from energy.configurations.read import is_configuration, model_name, read
from energy.errors import InputError, require_choice
from energy.facts import catalog
from energy.shape import Shape
from energy.units import si
from simulator.scenarios.expert_load import read_load
from simulator.scenarios.scenario import load as load_scenario
from simulator.scenarios.scenario import presets
from simulator.serving.constants import ServingConstants
from simulator.serving.experts import spread_of
from simulator.serving.model import ServedModel
from simulator.serving.rows import first_name
from simulator.serving.service import CACHE_BYTES, Board, Service, formats, room

UNIFORM = "uniform"
"""The word that stands for a uniform load of experts."""

MOST = 1_000_000_000
"""The largest of each number of a request."""

MOST_CHIPS = 4096
"""The most chips that are tried where none are named."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be served, and how; what is None is chosen and named in the notes.

    Attributes:
        model: of the catalog, a preset, a scenario file or a config.json.
        chip: of the catalog.
        chips: how many.
        batch: sequences in flight.
        isl: tokens of a prompt.
        osl: tokens of an answer.
        tp: chips that each replica of the attention is sliced over.
        ep: chips over which experts are spread whole.
        dp: replicas of the attention.
        precision: of the weights.
        kv_precision: of the cache.
        load: of experts: the log of a trainer, or `UNIFORM`.
        draft: tokens proposed at a time by a module of multi-token prediction, or a draft model.
        acceptance: probability that one of them is right.
    """

    model: str
    chip: str
    chips: int = 1
    batch: float = 16
    isl: float = 512
    osl: float = 512
    tp: int | None = None
    ep: int | None = None
    dp: int | None = None
    precision: str = "bf16"
    kv_precision: str = "bf16"
    load: str | None = None
    draft: int = 0
    acceptance: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A request with its facts.

    Attributes:
        name: of the model.
        shape: of it.
        family: of models, whose rows may have been measured; empty for none.
        chip: of the catalog.
        tp: tensor parallel degree.
        ep: expert parallel degree.
        dp: data parallel degree.
        service: what is predicted.
        problem: why it cannot run; empty where it can.
        notes: what was assumed.
    """

    name: str
    shape: Shape
    family: str
    chip: catalog.Chip
    tp: int
    ep: int
    dp: int
    service: Service
    problem: str
    notes: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Dense or moe."""
        return "moe" if float(self.shape.n_moe_layers) > 0 else "dense"


def resolve(request: Request, constants: ServingConstants) -> Resolved:
    """Look everything up, and say why it cannot run where it cannot.

    Raises:
        InputError: a name is unknown or a number is not above zero.
        MissingDataError: the memory or the peak of the chip is not known.
    """
    _check(request)
    name, shape = shape_of(request.model)
    chip = catalog.chip(request.chip)
    model = ServedModel.of(shape)
    dp = request.dp or (max(1, request.chips // request.tp) if request.tp else 1)
    tp = request.tp or max(1, request.chips // dp)
    ep, notes = _experts(request, shape, tp)
    spread, source = expert_spread(request.load, shape)
    service = Service(
        model=model,
        board=Board.of(chip),
        chips=float(request.chips),
        dp=float(dp),
        ep=float(ep),
        batch=float(request.batch),
        prompt=float(request.isl),
        answer=float(request.osl),
        **formats(request.precision, is_mixture=float(shape.n_moe_layers) > 0),
        cache_bytes=CACHE_BYTES[request.kv_precision],
        spread=spread,
        draft=float(request.draft),
        acceptance=float(request.acceptance),
    )
    if source:
        notes += (source.format(spread=constants.spread),)
    return Resolved(
        name=name,
        shape=shape,
        family=family_of(name),
        chip=chip,
        tp=tp,
        ep=ep,
        dp=dp,
        service=service,
        problem="; ".join(problems(service, shape, tp, ep, dp)),
        notes=notes,
    )


def shape_of(name: str) -> tuple[str, Shape]:
    """A model by what a user calls it.

    Raises:
        InputError: nothing has that name.
    """
    if is_configuration(name):
        return model_name(name), read(Path(name)).shape
    if name in presets() or name.endswith(".toml"):
        scenario = load_scenario(name, {})
        return scenario.name, scenario.model.resolve()
    row = first_name(name)
    known = catalog.model(row["model"] if row else name)
    return known.name, known.shape


def family_of(name: str) -> str:
    """The family of a model by its name; empty where it is of none."""
    row = first_name(name)
    return row["family"] if row else ""


def problems(service: Service, shape: Shape, tp: int, ep: int, dp: int) -> Iterator[str]:
    """Why a service cannot run: degrees that do not divide, weights or caches that do not fit."""
    chips = int(service.chips)
    if tp * dp != chips:
        yield f"tp {tp} x dp {dp} is {tp * dp}, not {chips} chips"
        return
    heads, kept = int(service.model.heads), int(service.model.cache_heads)
    if heads % tp:
        yield f"tp {tp} does not divide {heads} heads of attention"
    elif kept % tp and tp % kept:
        yield f"tp {tp} and {kept} heads of keys and values: neither divides the other"
    if chips % ep:
        yield f"ep {ep} does not divide {chips} chips"
    if int(shape.n_experts) % ep:
        yield f"ep {ep} does not divide {int(shape.n_experts)} experts"
    if chips > int(service.board.domain) and not float(service.board.network_bytes_per_s):
        yield f"{chips} chips are more than the {int(service.board.domain)} that its links join"
    space = room(service)
    if float(space.free_bytes) <= 0:
        yield (
            f"weights of {si(float(space.weight_bytes), 'B')} a chip do not fit in 90 % of "
            f"{si(float(service.board.memory_bytes), 'B')}: more chips, or fewer bits a weight"
        )
    elif float(service.batch) > float(space.largest_batch):
        over = (float(service.batch) / dp) * float(space.sequence_bytes) - float(space.free_bytes)
        yield (
            f"the cache of a batch of {service.batch:g} does not fit: {si(over, 'B')} a chip too "
            f"many; at most {float(space.largest_batch):,.0f} sequences fit"
        )


def fewest_chips(request: Request, constants: ServingConstants) -> int | None:
    """The first power of two of chips that serves the batch; None where none up to 4,096 does."""
    free = replace(request, tp=None, ep=None, dp=None)
    chips = 1
    while chips <= MOST_CHIPS:
        if not resolve(replace(free, chips=chips), constants).problem:
            return chips
        chips *= 2
    return None


def remedy(request: Request, constants: ServingConstants) -> str:
    """What lets a request run that cannot."""
    chips = fewest_chips(request, constants)
    if chips is None:
        return "choose another --chip, fewer bits a weight or a smaller --batch"
    degrees = any((request.tp, request.ep, request.dp))
    return f"--chips {chips} can{', without --tp, --ep and --dp' if degrees else ''}"


def _check(request: Request) -> None:
    for name in ("chips", "batch", "isl", "osl", "tp", "ep", "dp"):
        value = getattr(request, name)
        if value is not None and not 1 <= value <= MOST:
            raise InputError(f"expected --{name} from 1 to {MOST:,}", f"{value:g}")
    if not 0 <= request.acceptance <= 1:
        raise InputError("expected --acceptance from 0 to 1", f"{request.acceptance:g}")
    if not 0 <= request.draft <= 64:
        raise InputError("expected --draft from 0 to 64", f"{request.draft}")
    if request.acceptance and not request.draft:
        raise InputError("expected --draft with --acceptance", "0", "--draft 1 proposes one token")
    require_choice("--kv-precision", request.kv_precision, tuple(CACHE_BYTES))


def _experts(request: Request, shape: Shape, tp: int) -> tuple[int, tuple[str, ...]]:
    """The expert parallel degree; without one, experts are whole where their number allows."""
    if request.ep is not None:
        return request.ep, ()
    if float(shape.n_moe_layers) == 0 or request.chips == 1:
        return 1, ()
    if int(shape.n_experts) % request.chips == 0:
        return request.chips, (f"ep {request.chips} assumed: every chip has whole experts",)
    return 1, ("ep 1 assumed: every expert is sliced over all chips",)


def expert_spread(load: str | None, shape: Shape) -> tuple[float | None, str]:
    """Spread of the experts' popularity, and a note on where it comes from."""
    if float(shape.n_moe_layers) == 0:
        if load is not None:
            raise InputError(
                "expected a mixture of experts with --load", "a dense model", "leave --load out"
            )
        return None, ""
    if load is None:
        return None, (
            "load of experts: a spread of {spread:.2f} (deviation over mean) that measured "
            "mixtures imply; --load RUN takes that of a router, --load uniform none"
        )
    if load == UNIFORM:
        return 0.0, "load of experts: uniform, as --load says; a router's touches fewer"
    measured = read_load(Path(load))
    spread = spread_of(measured)
    return spread, f"load of experts: a spread of {spread:.2f}, measured: {measured.source}"
