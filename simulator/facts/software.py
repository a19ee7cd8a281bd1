"""What training software does by convention, and what the words of published rows mean.

The facts are rows of `software.toml`: eras and families of software, spellings of frameworks, and
how model families attend. A row applies where its pattern matches; the first match wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from energy.errors import InputError, nearest
from simulator.facts.tables import first_match, table

UNRECOGNIZED = "other"
"""The name of the software of a framework that no row of `software.toml` matches."""

VENDOR, BASELINE, FIRST = "vendor-tuned", "baseline", "first implementation"
"""How tuned software is: by its vendor; less, beside the authors' own system; by nobody yet, which
is slower even where its framework is known."""

WIDE_PRECISIONS = ("fp32", "tf32")
"""Precisions of the matrix products at which weights and activations take 4 bytes."""

NARROW_BYTES = {"fp8": 1.0, "int8": 1.0, "fp4": 0.5625}
"""Bytes of a value in narrow products; 4 bits have a scale of 8 bits for 16 values."""


@dataclass(frozen=True)
class Software:
    """What one era of a family of training software does.

    Attributes:
        name: of the family and era.
        flash: whether attention is fused.
        recompute: recomputation modes it offers.
        virtual_stages: whether it interleaves pipeline stages.
        zero: its usual ZeRO stage.
        folds: whether expert parallelism is independent of tensor parallelism (arXiv:2504.14960);
            if not, experts have the tensor parallel degree of the rest.
        stages_by_work: whether pipeline stages are cut by work, with the output head counted.
        expert_messages: how tokens travel to their experts, as in `simulator.physics.plan`.
        buckets: whether 16-bit gradients stay in flat buckets beside their float32 sums.
        shares_residuals: whether norms and residuals can be shared out over tensor parallel ranks.
        gathers_again: whether it waits for a second gather of a product's input backward; others
            hide it behind the product of the input's gradient (arXiv:2205.05198, section 4.2.2).
        narrow_gradients: whether gradients travel as wide as activations, however they are stored.
        loss_in_place: whether the gradient of the logits takes their place.
        casts_weights: whether all weights of a chip have a narrow copy during a step.
        gathered_layers: copies of a layer's sharded weights that are whole at a time: those that
            are gathered, and gradients that are not scattered yet.
        fuses: whether results of element-wise work are not stored.
        recompute_stops: whether recomputation of a layer ends at the last value that a gradient
            needs, so that the last product of a dense layer is not done again.
        tensor_overlap: whether tensor parallel messages travel while the products that need them
            are computed part by part.
        stages_gather_once: whether sharded weights of a pipeline stage are gathered, and their
            gradients scattered, once a step and not with each micro-batch: published rows that say
            ZeRO 3 are read as ZeRO 1 then. A scenario says its stage itself.
        narrow_sums: whether gradients are stored and summed over ranks in 16 bits.
        one_hot: mixtures whose tokens go to their experts by products with one-hot masks: "all",
            those of limited "capacity", or none.
        recompute_modules: lists of modules that its users recompute, beside the modes.
    """

    name: str
    flash: bool
    recompute: tuple[str, ...]
    virtual_stages: bool
    zero: int
    folds: bool
    stages_by_work: bool
    expert_messages: str
    buckets: bool
    shares_residuals: bool
    gathers_again: bool
    narrow_gradients: bool
    loss_in_place: bool
    casts_weights: bool
    gathered_layers: int
    fuses: bool
    recompute_stops: bool
    tensor_overlap: bool
    stages_gather_once: bool
    narrow_sums: bool
    one_hot: str
    recompute_modules: tuple[str, ...]

    def formats(self, precision: str) -> dict[str, Any]:
        """Fields of `simulator.physics.plan.Formats`: how it stores numbers.

        Args:
            precision: of the matrix products, as the catalog of chips names it.
        """
        width = 4 if precision in WIDE_PRECISIONS else 2
        return {
            "optimizer": "adamw",
            "weight_bytes": width,
            "activation_bytes": width,
            "product_bytes": NARROW_BYTES.get(precision, width),
            "bucket_bytes": 2 * self.buckets,
            "gradient_message_bytes": width * self.narrow_gradients,
        }

    def execution(self) -> dict[str, Any]:
        """Fields of `simulator.physics.plan.Execution` that it does not leave to the user."""
        names = (
            *("flash", "stages_by_work", "expert_messages", "gathers_again"),
            *("loss_in_place", "casts_weights", "gathered_layers", "fuses", "recompute_stops"),
            "tensor_overlap",
        )
        return {name: getattr(self, name) for name in names}

    def allowed(self) -> dict[str, list[Any]]:
        """Values of the searched fields of a plan that it offers; a field left out is free."""
        values: dict[str, list[Any]] = {"recompute": list(self.recompute)}
        if not self.virtual_stages:
            values["vp"] = [1]
        if not self.shares_residuals:
            values["sequence_parallel"] = [False]
        if not self.flash:
            values["cp"] = [1]  # it came with fused attention (arXiv:2310.01889)
        return values


def _rows(name: str) -> list[dict[str, Any]]:
    """The rows of a table of `software.toml`."""
    rows: list[dict[str, Any]] = table("software.toml")[name]
    return rows


def software_of(framework: str, source: str = "") -> Software:
    """The software that a framework's name and year stand for; "other" where none is recognized.

    An era is a year: software of a later one is not that of the era, whatever its name.

    Args:
        framework: as it was published, maybe with its year.
        source: where it was published, whose year counts where the framework has none.
    """
    year = _year(framework) or _year(source)
    row = next(row for row in _rows("software") if _is_of(row, framework, year))
    return _software(row, framework)


def _is_of(row: dict[str, Any], framework: str, year: int | None) -> bool:
    """Whether a row of the table is the software of a framework in a year; None is unknown."""

    def named(by: str) -> bool:
        return by in row and re.search(row[by], framework, re.IGNORECASE) is not None

    if named("any_year") or "until" not in row or year is None:
        return named("any_year") or named("pattern")
    return year <= row["until"] and (named("pattern") or named("by_year"))


def _year(text: str) -> int | None:
    """The year in a name, or of an arXiv number."""
    if match := re.search(r"\b(20[12]\d)\b", text):
        return int(match[1])
    match = re.search(r"arXiv:(\d\d)\d\d\.", text)
    return 2000 + int(match[1]) if match else None


def named_software(name: str) -> Software:
    """The software by its name in `software.toml`.

    Raises:
        InputError: there is no such name.
    """
    for row in _rows("software"):
        if row["name"] == name:
            return _software(row, name)
    known = [row["name"] for row in _rows("software")]
    raise InputError("expected a known software", name, nearest(name, known))


def _software(row: dict[str, Any], framework: str) -> Software:
    def applies(trait: str) -> bool:
        """Whether the framework's name matches the trait's own pattern; without one, never."""
        return trait in row and bool(re.search(row[trait], framework, re.IGNORECASE))

    return Software(
        name=row["name"],
        flash=row["flash"],
        recompute=tuple(row["recompute"]),
        virtual_stages=row["virtual_stages"],
        zero=row["zero"],
        folds=applies("folds"),
        stages_by_work=applies("stages_by_work"),
        expert_messages="by-node" if applies("by_node") else "all-to-all",
        buckets=applies("buckets"),
        shares_residuals=row.get("shares_residuals", row["flash"]),
        gathers_again=row.get("gathers_again", False),
        narrow_gradients=row.get("narrow_gradients", False),
        loss_in_place=row.get("loss_in_place", False),
        casts_weights=row.get("casts_weights", False),
        gathered_layers=row.get("gathered_layers", 4),
        fuses=row.get("fuses", False),
        recompute_stops=applies("recompute_stops"),
        tensor_overlap=row.get("tensor_overlap", False),
        stages_gather_once=applies("stages_gather_once"),
        narrow_sums=applies("narrow_sums"),
        one_hot=row.get("one_hot", ""),
        recompute_modules=tuple(row["modules"]) if applies("by_modules") else (),
    )


@cache
def framework_of(framework: str) -> str:
    """A framework's name without years and releases: "Megatron-Bridge 26.04" is megatron-bridge."""
    if row := first_match(_rows("framework"), framework):
        return str(row["name"])
    words = re.sub(r"release|version|v?\d[\w.+-]*", " ", framework.lower())
    return " ".join(re.sub(r"[^a-z/-]+", " ", words).split()).strip(" -/") or "other"


def nearest_framework(framework: str, software: str, known: Iterable[str]) -> str:
    """The fitted framework that is most like one that was not: by its words, then its software.

    Args:
        framework: as it was published.
        software: family and era of its software.
        known: frameworks that were fitted.
    """
    words = set(framework_of(framework).split())

    def likeness(name: str) -> tuple[float, bool, str]:
        others = set(name.split())
        shared = len(words & others) / len(words | others)
        return shared, software_of(name).name == software, name

    return max(sorted(known), key=likeness, default="")


def tuned_of(words: str) -> str:
    """How tuned software is, by its name in `software.toml`; blank stays blank.

    Raises:
        InputError: there is no such name.
    """
    names = [row["name"] for row in _rows("tuned")]
    if words and words.lower() not in names:
        raise InputError(f"expected one of {', '.join(names)} for tuned", words)
    return words.lower()


def tuned_priors() -> dict[str, tuple[float, float]]:
    """What is assumed of each word before any row: median of the slowdown, and a factor of it."""
    return {row["name"]: (row["slower"], row["factor"]) for row in _rows("tuned")}


def nearest_release(release: str, known: Iterable[str]) -> str:
    """The known release of the same framework with the nearest version; else the name itself.

    Software gets faster: "megatron-bridge 26.09" is closer to 26.08 than to the mean of all.
    """
    version = _version(release)
    near = [
        (abs(other - version), name)
        for name in known
        if version is not None
        and framework_of(name) == framework_of(release)
        and (other := _version(name)) is not None
    ]
    return min(near)[1] if near else release


def _version(release: str) -> float | None:
    """A version as a number, larger is later: 26.02.01 is 26.0201."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    return int(match[1]) + int(match[2]) / 100 + int(match[3] or 0) / 1e4 if match else None


def attention_of(model: str, layers: float) -> dict[str, Any]:
    """Fields of a `Shape` that follow from a model's name: ranks of latent attention, windows.

    Raises:
        InputError: the model is a hybrid, which is never taken for one of full attention.
    """
    row = first_match(_rows("attention"), model)
    if row is None:
        return {}
    if "refused" in row:
        raise InputError(
            "expected a model with attention in every layer",
            f"{model.strip()}: {row['refused']}",
            "predict it by its config.json",
        )
    names = ("kv_rank", "q_rank", "d_rope", "window")
    attention: dict[str, Any] = {name: row[name] for name in names if name in row}
    if "window_share" in row:
        attention["n_window_layers"] = round(layers * row["window_share"])
    return attention


def workload_of(words: str) -> dict[str, Any]:
    """Fields of a plan that follow from the word for a run's workload; none of pre-training."""
    row = first_match(_rows("workload"), words) if words else None
    names = ("trained", "adapter_rank", "adapter_modules")
    return {name: row[name] for name in names} if row else {}


def expert_nodes_of(model: str) -> float | None:
    """Nodes that the experts of a token are on, at most, by the model's name; None is no limit."""
    row = first_match(_rows("routing"), model)
    return float(row["nodes"]) if row else None
