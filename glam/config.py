"""The configuration of a training run, from the name of a model or from a TOML file.

Unknown keys are errors that suggest the nearest known name, so a misspelled learning rate never
trains a model.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from energy.configurations.read import is_configuration, model_name, read
from energy.errors import InputError, nearest
from energy.facts import catalog
from energy.inputs import read_toml
from energy.shape import Shape
from glam.architecture import Architecture
from glam.family import (
    GLAM_SHAPE,
    architecture_of_family,
    default_architecture,
    family_of,
    former_architecture,
    require_family,
)
from glam.recipe import Corpus, Dispatch, Stop, Training, require
from glam.relatives import relative_of

__all__ = ["Architecture", "Corpus", "Dispatch", "GlamConfig", "Stop", "Training", "check_keys"]


Section = TypeVar("Section")


ROUTER_TOP_K = {"glam": 2, "gshard": 2, "switch": 1}
"""Experts per token of the routers that fix this number."""


PLAIN_EXPERTS = {"expert_matrices": GLAM_SHAPE["expert_matrices"]}
"""What a [shape] of its own need not say."""


SECTIONS = ("architecture", "training", "corpus", "dispatch", "stop")


FORMER_OPTIMIZER = {"adafactor_form": "torch"}
"""Settings of every run before they could be chosen."""


RENAMED_KEYS: dict[type, dict[str, str]] = {
    Training: {"accumulate": "gradient_accumulation"},
    Corpus: {"held_out": "validation_fraction"},
}
"""Former names of settings, still read from TOML files and checkpoints."""


@dataclass(frozen=True, kw_only=True)
class GlamConfig:
    """The complete configuration of one training run.

    Attributes:
        name: name of the run and of its record.
        shape: shape of the decoder, a GLaM or a GPT.
        training: training recipe.
        corpus: text to train on.
        architecture: how the model is built beyond its shape; by default as the family of the
            shape, GLaM or GPT.
        dispatch: how tokens are dispatched to their experts.
        stop: limits that end the run before its last step.
    """

    name: str
    shape: Shape
    training: Training = field(default_factory=Training)
    corpus: Corpus = field(default_factory=Corpus)
    dispatch: Dispatch = field(default_factory=Dispatch)
    stop: Stop = field(default_factory=Stop)
    architecture: Architecture = None  # type: ignore[assignment]  # the default needs the shape

    def __post_init__(self) -> None:
        require_family(self.shape)
        if self.architecture is None:
            object.__setattr__(self, "architecture", default_architecture(self.shape))
        _require_router(self.shape, self.dispatch, self.architecture)
        groups, tokens = self.dispatch.groups, self.tokens_per_micro_batch
        require(
            not groups or tokens % groups == 0,
            "dispatch.groups",
            f"a divisor of {tokens} tokens of a micro-batch",
            groups,
        )
        top_k = ROUTER_TOP_K.get(self.dispatch.kind)
        require(
            top_k in (None, self.shape.top_k) or not self.shape.n_moe_layers,
            "top_k",
            f"{top_k} with dispatch.kind {self.dispatch.kind}",
            self.shape.top_k,
        )

    @classmethod
    def of(cls, model: Self | str | Path) -> Self:
        """Return the configuration of a catalog model ("glam-mini-16e") or TOML file ("run.toml").

        A configuration is returned as it is. The config.json of a model is read as its shape.

        Raises:
            InputError: there is no such model or file, or the file is not valid, or it describes a
                model that this trainer does not build.
        """
        if isinstance(model, cls):
            return model
        model = str(model)
        if model.endswith(".toml"):
            return cls.from_toml(Path(model))
        if is_configuration(model):
            return cls._of_configuration(model)
        row = catalog.model(model, "glam sizes")
        return cls(name=row.name, shape=row.shape)

    @classmethod
    def _of_configuration(cls, model: str) -> Self:
        """The configuration of a config.json; one whose router alone is built here says so."""
        shape = read(Path(model)).shape
        try:
            return cls(name=model_name(model), shape=shape)
        except InputError as error:
            try:
                relative_of(model)
            except InputError:
                raise error from None
            fix = f"train a GLaM with its router: --model glam-mini-16e --router-of {model}"
            raise InputError(error.expectation, error.value, fix) from error

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read `model`, `name`, `family`, `router_of`, [shape] and the sections in `SECTIONS`.

        Keys of [shape] override those of `model`, those of [architecture] and [training] those of
        `family` and `router_of`.

        Raises:
            InputError: there is no such file, it is not TOML, a key is unknown, or a value is out
                of range.
        """
        values = read_toml(path, "a configuration", "name a TOML file or a model of `glam sizes`")
        texts = ("model", "name", "family", "router_of")
        check_keys(values, (*texts, "shape", *SECTIONS), str(path))
        overrides = values.get("shape", {})
        _check_shape_overrides(overrides)
        for key in texts:
            require(isinstance(values.get(key, ""), str), key, "a text", repr(values.get(key)))
        if "model" in values:
            row = catalog.model(values["model"], "glam sizes")
            # A shape of its own is another model, which must not bear this one's name.
            name = path.stem if overrides else row.name
            shape = Shape.from_dict({**row.shape.as_dict(), **overrides})
        else:
            # The only mixtures that this trainer builds have plain experts.
            name, shape = path.stem, Shape.from_dict({**PLAIN_EXPERTS, **overrides})
        config = cls(name=values.get("name", name), shape=shape)
        config = config.with_family(values.get("family")).with_router_of(values.get("router_of"))
        return replace(config, **_sections(config, values, "[{}]"))

    @property
    def tokens_per_step(self) -> int:
        """Tokens of the global batch."""
        return int(self.training.batch_sequences * self.shape.seq_len)

    @property
    def tokens_per_micro_batch(self) -> int:
        """Tokens whose activations are in memory at the same time."""
        return self.tokens_per_step // self.training.gradient_accumulation

    @property
    def family(self) -> str:
        """Name of the family of the architecture: glam, plain, gpt, or own where one differs."""
        return family_of(self.architecture)

    def with_training(self, **changes: Any) -> Self:
        """Return a copy with other training settings; None leaves a setting unchanged."""
        overrides = {name: value for name, value in changes.items() if value is not None}
        return replace(self, training=replace(self.training, **overrides))

    def with_router(self, kind: str | None) -> Self:
        """Return a copy with another router and its number of experts per token; None: as it is."""
        if kind is None:
            return self
        shape = self.shape
        if shape.n_moe_layers and kind in ROUTER_TOP_K:
            shape = replace(shape, top_k=ROUTER_TOP_K[kind])
        dispatch = replace(self.dispatch, kind=kind)  # type: ignore[arg-type]
        return replace(self, shape=shape, dispatch=dispatch)

    def with_router_of(self, relative: str | None) -> Self:
        """Return a copy with the router of a relative, "mixtral" or a config.json; None: as it is.

        With it come its balancing loss, the coefficient of that, and its shared experts.

        Raises:
            InputError: there is no such relative, the model is dense, or the router does not fit
                its experts.
        """
        if relative is None:
            return self
        router = relative_of(relative)
        require(self.shape.n_moe_layers, "a model for --router-of", "a mixture", self.name)
        return replace(
            self.with_training(auxiliary_weight=router.auxiliary_weight),
            shape=replace(self.shape, n_shared_experts=router.shared_experts),
            architecture=replace(self.architecture, **router.architecture),
        )

    def with_family(self, family: str | None) -> Self:
        """Return a copy built as another family: glam, or plain with the optimizer of its time.

        None leaves it as it is.

        Raises:
            InputError: there is no such family of this shape.
        """
        if family is None:
            return self
        former = FORMER_OPTIMIZER if family == "plain" else {}
        architecture = architecture_of_family(self.shape, family)
        return replace(self.with_training(**former), architecture=architecture)

    def with_corpus_paths(self, paths: Iterable[str]) -> Self:
        """Return a copy with other sources of text."""
        return replace(self, corpus=replace(self.corpus, paths=tuple(paths)))

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as plain values, for checkpoints and records."""
        return {
            "name": self.name,
            "shape": self.shape.as_dict(),
            **{name: asdict(getattr(self, name)) for name in SECTIONS},
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the configuration of `as_dict`, of this or an earlier version."""
        config = cls(name=values["name"], shape=Shape.from_dict(values["shape"]))
        if "architecture" not in values:
            # Written before these could be chosen.
            architecture = former_architecture(config.shape)
            config = replace(config.with_training(**FORMER_OPTIMIZER), architecture=architecture)
        return replace(config, **_sections(config, values, "{}"))


def _require_router(shape: Shape, dispatch: Dispatch, how: Architecture) -> None:
    """Raise InputError unless the experts divide into the router's groups, and dispatch fits it."""
    if not shape.n_moe_layers:
        return
    groups, experts = how.router_groups, int(shape.n_experts)
    if groups > 1:
        require(
            experts % groups == 0 and experts >= 2 * groups,
            f"router_groups of {experts} experts",
            "a divisor that leaves two or more in a group",
            groups,
        )
        most = experts // groups * how.router_top_groups
        require(shape.top_k <= most, "top_k", f"at most {most}, those of the groups", shape.top_k)
    sampled = dispatch.kind == "gshard" or dispatch.second_expert != "all"
    require(
        not (sampled and how.own_router),
        "dispatch.kind with a router of another family",
        "dropless, switch, or glam with second_expert all",
        dispatch.kind,
    )


def differences(
    old: dict[str, Any], new: dict[str, Any], where: str = ""
) -> list[tuple[str, Any, Any]]:
    """Return the settings in which two tables differ: name ("training.seed"), old and new value."""
    changes = []
    for name in {**old, **new}:
        was, now = old.get(name), new.get(name)
        if isinstance(was, dict) and isinstance(now, dict):
            changes += differences(was, now, f"{where}{name}.")
        elif was != now:
            changes.append((f"{where}{name}", was, now))
    return changes


def check_keys(values: Any, known: list[str] | tuple[str, ...], where: str) -> None:
    """Raise InputError at the first unknown key, with the nearest known ones."""
    if not isinstance(values, dict):
        raise InputError(f"expected a table of keys in {where}", str(values))
    for key in values:
        if key not in known:
            raise InputError(f"expected a known key in {where}", key, nearest(key, known))


def _check_shape_overrides(overrides: Any) -> None:
    """Raise InputError unless every key of [shape] is known and every value a whole number."""
    check_keys(overrides, [item.name for item in fields(Shape)], "[shape]")
    for key, size in overrides.items():
        whole = type(size) is int or (key == "tied_embedding" and isinstance(size, bool))
        require(whole, f"shape.{key}", "a whole number", repr(size))


def _sections(config: GlamConfig, values: dict[str, Any], title: str) -> dict[str, Any]:
    """Return the sections of a configuration with the values of a file in place of its own."""
    return {
        name: _section(getattr(config, name), values.get(name, {}), title.format(name))
        for name in SECTIONS
    }


def _section(defaults: Section, values: Any, where: str) -> Section:
    """Return a section with other values, checking their keys and types."""
    kind = type(defaults)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    renamed = RENAMED_KEYS.get(kind, {})
    check_keys(values, [*known, *renamed], where)
    settings = {}
    for key, value in values.items():
        name = renamed.get(key, key)
        expected = type(getattr(defaults, name))
        if expected is float and type(value) is int:
            with suppress(OverflowError):
                value = float(value)
        if expected is tuple and isinstance(value, list):
            value = tuple(str(item) for item in value)
        if type(value) is not expected:
            raise InputError(f"expected {expected.__name__} for {key} in {where}", repr(value))
        settings[name] = value
    return replace(defaults, **settings)  # type: ignore[type-var]
