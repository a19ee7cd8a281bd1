"""Constants that differ a little from chip to chip and from framework to framework.

A constant of a row is its world value times deviations of the row's groups:

ln c = ln c_world + sum over groupings of d[grouping, group]

Each deviation has a prior centred on zero (partial pooling), so a group of few rows stays near the
world, and one that no row has seen is the world.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError, reason
from simulator.facts.software import nearest_release
from simulator.physics.constants import Constants, prior

SCHEMA = "constants-2"


DEVIATIONS: dict[str, dict[str, float]] = {
    "architecture": {
        "eff_max": 0.12,
        "attention_efficiency": 0.2,
        "link_efficiency": 0.15,
        "network_efficiency": 0.2,
        "narrow_efficiency": 0.15,
        "memory_efficiency": 0.1,
    },
    "software": {
        "fusion": 0.3,
        "launch_s": 0.5,
        "host_s": 0.7,
        "software": 0.1,
        "overlap_dp": 0.15,
        "overlap_ep": 0.4,
        "overlap_tp": 0.4,
        "grouped_efficiency": 0.15,
        "network_efficiency": 0.2,
        "batched_efficiency": 0.2,
    },
    "framework": {
        "fusion": 0.2,
        "launch_s": 0.5,
        "host_s": 0.7,
        "software": 0.08,
        "overlap_dp": 0.15,
        "overlap_ep": 0.3,
        "overlap_tp": 0.3,
        "network_efficiency": 0.25,
        "network_latency_s": 0.4,
        "eff_max": 0.06,
        "memory_efficiency": 0.08,
        "attention_efficiency": 0.15,
        "group_s": 0.5,
        "link_efficiency": 0.1,
    },
    "release": {"software": 0.07, "launch_s": 0.25, "host_s": 0.25, "group_s": 0.3},
}
"""One sigma of the logarithm of each deviation, by grouping and constant."""


UNFITTED_BAND = (-0.45, 0.45)
"""80 % band of constants that are priors: what rows of one chip differ by before any fit."""


@dataclass(frozen=True)
class Pool:
    """World constants and the deviations of groups.

    Attributes:
        world: constants by name; those that are absent keep their prior.
        deviations: ln of a factor, by grouping, group and constant.
        bands: 80 % band of ln(measured / predicted) by kind of row, from errors of rows that
            were left out of the fit.
        provenance: where the fit came from.
    """

    world: dict[str, float] = field(default_factory=dict)
    deviations: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    bands: dict[str, dict[str, float]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def constants(self, **groups: str) -> Constants:
        """The constants of one chip and software: `constants(architecture="hopper")`."""
        arrays = {name: np.array([word]) for name, word in groups.items()}
        found = self.resolve(arrays)
        return Constants(
            **{
                item.name: float(np.ravel(getattr(found, item.name))[0])
                for item in fields(Constants)
            }
        )

    def resolve(self, groups: dict[str, NDArray[np.str_]]) -> Constants:
        """Constants as arrays beside arrays of words: one group a place, in each grouping.

        A release that was never fitted is taken for the nearest of its framework.
        """
        releases = self.deviations.get("release", {})
        named = dict(groups)
        if releases and "release" in groups:
            words_, places = np.unique(groups["release"], return_inverse=True)
            named["release"] = np.array(
                [
                    word if word in releases else nearest_release(str(word), releases)
                    for word in words_
                ]
            )[places]
        values: dict[str, Any] = {}
        for item in fields(Constants):
            meta = item.metadata
            total: Any = np.log(self.world.get(item.name, item.default))  # type: ignore[arg-type]
            for grouping, words in named.items():
                by_group = {
                    group: names[item.name]
                    for group, names in self.deviations.get(grouping, {}).items()
                    if item.name in names
                }
                if by_group:
                    known, inverse = np.unique(words, return_inverse=True)
                    total = total + np.array([by_group.get(str(w), 0.0) for w in known])[inverse]
            values[item.name] = np.clip(np.exp(total), meta["low"], meta["high"])
        return Constants(**values)

    def band(self, kind: str, *, framework: str, architecture: str) -> tuple[float, float]:
        """80 % band of ln(measured / predicted) of a dense or moe row; wider on unknown chips."""
        word = "known" if self.has_seen(framework=framework) else "new"
        own = self.bands.get(f"{kind}, {framework}")
        found = [own or self.bands.get(f"{kind}, {word} framework", {})]
        if not self.has_seen(architecture=architecture):
            found.append(self.bands.get(f"{kind}, new chip", {}))
        return (
            min(one.get("low", UNFITTED_BAND[0]) for one in found),
            max(one.get("high", UNFITTED_BAND[1]) for one in found),
        )

    def has_seen(self, **groups: str) -> bool:
        """Whether rows of all these groups were fitted."""
        return all(word in self.deviations.get(name, {}) for name, word in groups.items())

    def as_dict(self) -> dict[str, Any]:
        """The content of a constants file; deviations that are nothing are left out."""
        told = {
            grouping: {
                group: kept
                for group, values in groups.items()
                if (kept := {n: round(v, 4) for n, v in values.items() if abs(v) > 5e-4})
                or grouping in ("framework", "architecture")
            }
            for grouping, groups in self.deviations.items()
        }
        world = {name: float(f"{value:.6g}") for name, value in self.world.items()}
        return {
            "schema": SCHEMA,
            "provenance": self.provenance,
            "bands": self.bands,
            "world": world,
            "deviations": told,
        }

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """Read the content of a constants file.

        Raises:
            InputError: another schema, or a constant of another version.
        """
        if table.get("schema") != SCHEMA:
            raise InputError(
                f"expected a constants file of schema {SCHEMA}",
                f"{table.get('schema')!r}",
                "calibrate again",
            )
        deviations = table.get("deviations", {})
        used = set(table["world"]).union(
            *(values for groups in deviations.values() for values in groups.values())
        )
        if unknown := sorted(used - {item.name for item in fields(Constants)}):
            raise InputError(
                "expected the constants of this version", ", ".join(unknown), "calibrate again"
            )
        return cls(table["world"], deviations, table.get("bands", {}), table.get("provenance", {}))


def load(path: Path) -> Pool:
    """Read a constants file.

    Raises:
        InputError: there is no such file, or it is not a constants file of this version.
    """
    try:
        return Pool.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError) as error:
        raise InputError(
            f"expected a constants file at {path}",
            reason(error),
            "write one with simulator calibrate",
        ) from error


@cache
def published() -> Pool:
    """The constants that the published rows were fitted to."""
    text = (files("simulator.published") / "constants.json").read_text(encoding="utf-8")
    return Pool.from_dict(json.loads(text))


def world_priors(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of the priors and their widths."""
    found = [prior(name) for name in names]
    return (np.log([float(one.value) for one in found]), np.log([one.factor for one in found]))
