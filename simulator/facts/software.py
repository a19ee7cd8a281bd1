"""What a published row's own words mean: software, frameworks, and how families attend.

The facts stand in `conventions.toml`; the first pattern that is found applies.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from energy.errors import InputError, nearest


@dataclass(frozen=True)
class Software:
    """What ran a row, as `conventions.toml` knows it.

    Attributes:
        name: of the family and era.
        flash: whether attention is fused.
        recompute: modes to search where a row names none.
        virtual_stages: whether it interleaves pipeline stages.
        zero: ZeRO stage where a row names none.
        folds: whether experts are laid without regard to tensor parallelism (arXiv:2504.14960);
            if not, they are cut as the rest is.
        stages_by_work: whether pipeline stages are cut by work, the output head counted.
        buckets: whether 16-bit gradients stay in flat buckets beside their float32 sums.
    """

    name: str
    flash: bool
    recompute: tuple[str, ...]
    virtual_stages: bool
    zero: int
    folds: bool
    stages_by_work: bool
    buckets: bool


@cache
def conventions() -> dict[str, list[dict[str, Any]]]:
    """`conventions.toml`."""
    return tomllib.loads((files("simulator.facts") / "software.toml").read_text())


def software_of(framework: str) -> Software:
    """The software of a framework's name; what is not known is "other"."""
    for entry in conventions()["software"]:
        if re.search(entry["pattern"], framework, re.IGNORECASE):
            return _software(entry, framework)
    raise AssertionError("the last pattern finds everything")


def named_software(name: str) -> Software:
    """The software of a name of `conventions.toml`.

    Raises:
        InputError: there is none.
    """
    for entry in conventions()["software"]:
        if entry["name"] == name:
            return _software(entry, name)
    known = [entry["name"] for entry in conventions()["software"]]
    raise InputError("expected a software of conventions.toml", name, nearest(name, known))


def _software(entry: dict[str, Any], framework: str) -> Software:
    folds, by_work, buckets = (
        bool(re.search(entry.get(name, "(?!)"), framework, re.IGNORECASE))
        for name in ("folds", "stages_by_work", "buckets")
    )
    return Software(
        entry["name"],
        entry["flash"],
        tuple(entry["recompute"]),
        entry["virtual_stages"],
        entry["zero"],
        folds,
        by_work,
        buckets,
    )


def framework_of(framework: str) -> str:
    """A framework's name without years and releases: "Megatron-Bridge 26.04" is megatron-bridge."""
    for entry in conventions()["framework"]:
        if re.search(entry["pattern"], framework, re.IGNORECASE):
            return str(entry["name"])
    words = re.sub(r"release|version|v?\d[\w.+-]*", " ", framework.lower())
    return " ".join(re.sub(r"[^a-z/-]+", " ", words).split()).strip(" -/") or "other"


def nearest_release(release: str, known: Iterable[str]) -> str:
    """The known release of the same framework whose version is nearest; else the name itself.

    Software gets faster: "megatron-bridge 26.09" is more like 26.08 than like the mean of all.
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
    """26.02.01 is 26.0201: larger is later."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    return int(found[1]) + int(found[2]) / 100 + int(found[3] or 0) / 1e4 if found else None


def attention_of(words: str, layers: float) -> dict[str, Any]:
    """Fields of a `Shape` that a model's name tells: ranks of latent attention, windows."""
    for entry in conventions()["attention"]:
        if re.search(entry["pattern"], words, re.IGNORECASE):
            names = ("kv_rank", "q_rank", "d_rope", "window")
            found: dict[str, Any] = {name: entry[name] for name in names if name in entry}
            if "window_share" in entry:
                found["n_window_layers"] = round(layers * entry["window_share"])
            return found
    return {}
