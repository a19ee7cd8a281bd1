"""What a training run is asked to be: a shape, a recipe and a corpus, from a name or a TOML file.

Keys are strict: a key that nobody knows is an error with the nearest name, so a misspelt learning
rate never trains a model.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from energy.errors import InputError, nearest, reason
from energy.facts import catalog
from energy.shape import Shape
from glam.family import require_family
from glam.recipe import Corpus, Dispatch, Stop, Training, require

__all__ = ["Corpus", "Dispatch", "GlamConfig", "Stop", "Training", "check_keys"]


Section = TypeVar("Section")


CHOSEN = {"gshard": 2, "switch": 1}
"""Experts that a token passes through, where the router itself says so."""


@dataclass(frozen=True, kw_only=True)
class GlamConfig:
    """One training run, complete and frozen.

    Attributes:
        name: of the run and of its record.
        shape: the decoder, a GLaM or a GPT.
        training: the recipe.
        corpus: the text.
        dispatch: how tokens reach their experts.
        stop: what ends the run before its last step.
    """

    name: str
    shape: Shape
    training: Training = field(default_factory=Training)
    corpus: Corpus = field(default_factory=Corpus)
    dispatch: Dispatch = field(default_factory=Dispatch)
    stop: Stop = field(default_factory=Stop)

    def __post_init__(self) -> None:
        require_family(self.shape)
        chosen = CHOSEN.get(self.dispatch.kind)
        require(
            chosen in (None, self.shape.top_k) or not self.shape.n_moe_layers,
            "top_k",
            f"{chosen} with dispatch.kind {self.dispatch.kind}",
            self.shape.top_k,
        )

    @classmethod
    def of(cls, model: str) -> Self:
        """The configuration of a model by name ("glam-mini-16e") or by TOML file ("run.toml")."""
        if model.endswith(".toml"):
            return cls.from_toml(Path(model))
        return cls(name=catalog.model(model).name, shape=catalog.model(model).shape)

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read `model`, `name`, [shape], [training], [corpus], [dispatch], [stop].

        A [shape] key amends the model.

        Raises:
            InputError: no such file, not TOML, an unknown key, or a value out of range.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(
                f"expected a configuration at {path}",
                reason(error),
                "name a TOML file or a model of `glam sizes`",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"expected TOML in {path}", reason(error)) from error
        known = ("model", "name", "shape", "training", "corpus", "dispatch", "stop")
        check_keys(values, known, str(path))
        amended = values.get("shape", {})
        check_keys(amended, [item.name for item in fields(Shape)], "[shape]")
        for key, size in amended.items():
            whole = type(size) is int or (key == "tied_embedding" and isinstance(size, bool))
            require(whole, f"shape.{key}", "a whole number", repr(size))
        for key in ("model", "name"):
            require(isinstance(values.get(key, ""), str), key, "a text", repr(values.get(key)))
        if "model" in values:
            found = catalog.model(values["model"])
            name, shape = found.name, Shape.from_dict({**found.shape.as_dict(), **amended})
        else:
            name, shape = path.stem, Shape.from_dict(amended)
        return cls(
            name=values.get("name", name),
            shape=shape,
            training=_section(Training, values.get("training", {}), "[training]"),
            corpus=_section(Corpus, values.get("corpus", {}), "[corpus]"),
            dispatch=_section(Dispatch, values.get("dispatch", {}), "[dispatch]"),
            stop=_section(Stop, values.get("stop", {}), "[stop]"),
        )

    def with_training(self, **changes: Any) -> Self:
        """The same run with other training settings; None leaves a setting as it is."""
        given = {name: value for name, value in changes.items() if value is not None}
        return replace(self, training=replace(self.training, **given))

    def with_router(self, kind: str) -> Self:
        """The same run with another router, whose number of chosen experts it takes."""
        shape = self.shape
        if shape.n_moe_layers and kind in CHOSEN:
            shape = replace(shape, top_k=CHOSEN[kind])
        dispatch = replace(self.dispatch, kind=kind)  # type: ignore[arg-type]
        return replace(self, shape=shape, dispatch=dispatch)

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, for checkpoints and records."""
        return {
            "name": self.name,
            "shape": self.shape.as_dict(),
            "training": asdict(self.training),
            "corpus": asdict(self.corpus),
            "dispatch": asdict(self.dispatch),
            "stop": asdict(self.stop),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `as_dict`."""
        return cls(
            name=values["name"],
            shape=Shape.from_dict(values["shape"]),
            training=_section(Training, values["training"], "training"),
            corpus=_section(Corpus, values["corpus"], "corpus"),
            dispatch=_section(Dispatch, values.get("dispatch", {}), "dispatch"),
            stop=_section(Stop, values.get("stop", {}), "stop"),
        )


def check_keys(values: Any, known: list[str] | tuple[str, ...], where: str) -> None:
    """Refuse a key that is not known, with the nearest ones."""
    if not isinstance(values, dict):
        raise InputError(f"expected a table of keys in {where}", str(values))
    for key in values:
        if key not in known:
            raise InputError(f"expected a known key in {where}", key, nearest(key, known))


def _section(kind: type[Section], values: Any, where: str) -> Section:
    """A section of the file as its dataclass, with keys and kinds of values checked."""
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    check_keys(values, list(known), where)
    blank = kind()
    given = {}
    for name, value in values.items():
        wanted = type(getattr(blank, name))
        if wanted is float and type(value) is int:
            value = float(value)
        if wanted is tuple and isinstance(value, list):
            value = tuple(str(item) for item in value)
        if type(value) is not wanted:
            raise InputError(f"expected {wanted.__name__} for {name} in {where}", repr(value))
        given[name] = value
    return kind(**given)
