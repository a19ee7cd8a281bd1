"""The pool, the model that tables are fitted with: world constants times deviations of groups.

A constant of a row is the world constant times the deviations of the row's groups:

ln c = ln c_world + sum over groupings of d[grouping, group]

Each deviation has a prior centered on zero (partial pooling), so a group of few rows stays near the
world, and a group without rows is the world.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from energy.errors import InputError
from energy.files import write_text_atomic
from energy.inputs import read_json, shown, table_of
from simulator.facts.software import nearest_release
from simulator.fit.saved import ConstantsFile
from simulator.physics.constants import PRIORS, Constants

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

DEFAULT_TUNED = "own system"
"""How tuned an unknown framework is taken to be where nobody says."""

NOT_NAMED = ("", "other")
"""Frameworks that nobody named: taken to be tuned as in the tables of vendors."""

SIGMAS = 1.2816
"""Half of an 80 % band of a normal distribution, in standard deviations."""

UNFITTED_BAND = (-0.45, 0.45)
"""80 % band of ln(measured / predicted) where all constants are priors."""

Words = NDArray[np.str_]


@dataclass(frozen=True)
class Pool:
    """World constants and the deviations of groups.

    Attributes:
        world: constants by name; absent ones keep their prior.
        deviations: ln of a factor, by grouping, group and constant.
        bands: 80 % band of ln(measured / predicted) by kind of row, from errors of rows that
            were left out of the fit.
        provenance: where the fit came from.
        newcomers: by kind of model, the slowdown, bands and spread of publishers that no fit saw,
            as `simulator.fit.newcomers` finds them.
        own: by chip and kind of model, what a user's rows say of a cluster: ln of its slowdown and
            the band that is left.
    """

    world: dict[str, float] = field(default_factory=dict)
    deviations: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    bands: dict[str, dict[str, float]] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    newcomers: dict[str, Any] = field(default_factory=dict)
    own: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def constants(self, **groups: str) -> Constants:
        """The constants of one chip and software: `constants(architecture="hopper")`."""
        arrays = self.resolve({name: np.array([word]) for name, word in groups.items()})
        return Constants(**{name: float(np.ravel(getattr(arrays, name))[0]) for name in PRIORS})

    def resolve(self, groups: dict[str, Words]) -> Constants:
        """The constants of many rows as arrays.

        A release without rows has the deviations of the nearest release of its framework. Where
        groups name the kind of model, newcomers are slower, and own clusters as they measured.

        Args:
            groups: by grouping, the group of each row.
        """
        slower = self._slower(groups)
        if "release" in groups:
            groups = groups | {"release": self._nearest_releases(groups["release"])}
        places = {
            grouping: np.unique(words, return_inverse=True) for grouping, words in groups.items()
        }
        values: dict[str, Any] = {}
        for name, prior in PRIORS.items():
            total: Any = np.log(self.world.get(name, prior.value))
            for grouping, (distinct, place) in places.items():
                total = total + self._deviation(grouping, name, distinct, place)
            if name == "software":
                total = total + slower
            values[name] = np.clip(np.exp(total), prior.low, prior.high)
        return Constants(**values)

    def _slower(self, groups: dict[str, Words]) -> NDArray[np.float64] | float:
        """Logarithm of the slowdown of newcomers and of own clusters (rows)."""
        if "kind" not in groups or not (self.newcomers or self.own):
            return 0.0
        columns = [groups["kind"]]
        columns += [
            groups.get(name, np.full(len(columns[0]), ""))
            for name in ("framework", "tuned", "chip")
        ]
        distinct, place = np.unique(np.stack(columns), axis=1, return_inverse=True)
        slower = [
            self.slowdown(kind, framework=framework, tuned=tuned)
            + self.own.get(chip, {}).get(kind, {}).get("ln", 0.0)
            for kind, framework, tuned, chip in distinct.T.tolist()
        ]
        return np.array(slower)[np.ravel(place)]

    def slowdown(self, kind: str, *, framework: str, tuned: str = "") -> float:
        """Logarithm of the step time over that of a known framework, tuned as it was there.

        Args:
            kind: dense or moe.
            framework: its name, without releases.
            tuned: how tuned it is; blank is as in its rows, or `DEFAULT_TUNED` if it has none.
        """
        known = self.has_seen(framework=framework)
        if not tuned and (known or framework in NOT_NAMED):
            return 0.0
        slower = self.newcomers.get(kind, {}).get("slower", {})
        as_measured = self.newcomers.get("measured_as", {}).get(framework, "")
        if known and tuned == DEFAULT_TUNED:
            return 0.0
        slowdown = slower.get(tuned or DEFAULT_TUNED, {}).get("ln", 0.0)
        return float(slowdown - (slower.get(as_measured, {}).get("ln", 0.0) if known else 0.0))

    def unseen_band(
        self, kind: str, *, framework: str, architecture: str, chip: str = "", tuned: str = ""
    ) -> tuple[float, float]:
        """80 % band of ln(measured / predicted) where no fit saw who measures, as with every user.

        Rows of the user's own cluster narrow it; a chip that no fit saw, and software that is
        tuned less, widen it.
        """
        own = self.own.get(chip, {}).get(kind)
        if own:
            return own["low"], own["high"]
        low, high = self.band(kind, framework=framework, architecture=architecture)
        if framework in self.provenance.get("own_frameworks", ()) or not self.newcomers:
            return low, high
        band = self.newcomers[kind]["new_publisher"]
        if self.has_seen(architecture=architecture):
            low, high = band["low"], band["high"]
        else:
            # What a chip adds to the band of a framework, it adds to that of a publisher.
            new_chip, new_framework = (
                self.bands.get(f"{kind}, new {word}", {}) for word in ("chip", "framework")
            )
            more = {
                end: max(new_chip.get(end, 0.0) ** 2 - new_framework.get(end, 0.0) ** 2, 0.0) ** 0.5
                for end in ("low", "high")
            }
            low = min(low, -float(np.hypot(band["low"], more["low"])))
            high = max(high, float(np.hypot(band["high"], more["high"])))
        # How much slower less tuned software is has a spread of its own.
        spread = SIGMAS * self.newcomers[kind]["slower"].get(tuned, {}).get("sigma", 0.0)
        return -float(np.hypot(low, spread)), float(np.hypot(high, spread))

    @property
    def standing(self) -> float:
        """Share of all plans that fit which one that nobody stated is not slower than."""
        return float(self.newcomers.get("stated_plans", {}).get("standing", 1.0))

    def rows_on(self, chip: str, kind: str) -> int | None:
        """Fitted rows of a kind of model on a chip; None where the constants do not say."""
        by_kind = self.provenance.get("rows_on_chip")
        return None if by_kind is None else int(by_kind[kind].get(chip, 0))

    def knows(self, publisher: str) -> bool:
        """Whether rows of a publisher were fitted."""
        return publisher in self.provenance.get("publishers", ())

    def _nearest_releases(self, words: Words) -> Words:
        """The fitted releases that stand for those of the rows."""
        fitted = self.deviations.get("release", {})
        distinct, place = np.unique(words, return_inverse=True)
        nearest = [
            word if word in fitted else nearest_release(str(word), fitted) for word in distinct
        ]
        return np.array(nearest)[place]

    def _deviation(
        self, grouping: str, constant: str, distinct: Words, place: NDArray[np.int64]
    ) -> NDArray[np.float64] | float:
        """The deviation of a constant in the group of each row; 0 where no group has one.

        Args:
            grouping: "architecture", for example.
            constant: its name.
            distinct: the groups of the rows, each once.
            place: of each row's group in `distinct`.
        """
        by_group = {
            group: values[constant]
            for group, values in self.deviations.get(grouping, {}).items()
            if constant in values
        }
        if not by_group:
            return 0.0
        deviations = np.array([by_group.get(str(word), 0.0) for word in distinct])
        return np.asarray(deviations[place])

    def band(self, kind: str, *, framework: str, architecture: str) -> tuple[float, float]:
        """80 % band of ln(measured / predicted) of a dense or moe row; wider on unknown chips."""
        word = "known" if self.has_seen(framework=framework) else "new"
        own = self.bands.get(f"{kind}, {framework}")
        bands = [own or self.bands.get(f"{kind}, {word} framework", {})]
        if not self.has_seen(architecture=architecture):
            bands.append(self.bands.get(f"{kind}, new chip", {}))
        return (
            min(band.get("low", UNFITTED_BAND[0]) for band in bands),
            max(band.get("high", UNFITTED_BAND[1]) for band in bands),
        )

    def has_seen(self, **groups: str) -> bool:
        """Whether rows of all these groups were fitted."""
        return all(word in self.deviations.get(name, {}) for name, word in groups.items())

    def as_dict(self) -> dict[str, Any]:
        """The content of a constants file, without negligible deviations."""
        deviations = {
            grouping: {
                group: rounded
                for group, values in groups.items()
                if (rounded := {n: round(v, 4) for n, v in values.items() if abs(v) > 5e-4})
                or grouping in ("framework", "architecture")
            }
            for grouping, groups in self.deviations.items()
        }
        world = {name: float(f"{value:.6g}") for name, value in self.world.items()}
        table = {
            "schema": SCHEMA,
            "provenance": self.provenance,
            "bands": self.bands,
            "world": world,
            "deviations": deviations,
        }
        parts = {"newcomers": self.newcomers, "own": self.own}
        return table | {name: part for name, part in parts.items() if part}

    @classmethod
    def from_dict(cls, table: dict[str, Any]) -> Self:
        """Read the content of a constants file.

        Raises:
            InputError: it is of another schema, or has a constant of another version.
        """
        if table.get("schema") != SCHEMA:
            raise InputError(
                f"expected a constants file of schema {SCHEMA}",
                shown(table.get("schema")),
                "calibrate again",
            )
        content = {name: part for name, part in table.items() if name != "schema"}
        ConstantsFile.of(content, "a constants file", "calibrate again")
        deviations = table.get("deviations", {})
        used = set(table["world"]).union(
            *(values for groups in deviations.values() for values in groups.values())
        )
        if unknown := sorted(used - set(PRIORS)):
            raise InputError(
                "expected the constants of this version", ", ".join(unknown), "calibrate again"
            )
        return cls(
            world=table["world"],
            deviations=deviations,
            bands=table.get("bands", {}),
            provenance=table.get("provenance", {}),
            newcomers=table.get("newcomers", {}),
            own=table.get("own", {}),
        )


def save_pool(pool: Pool, path: Path) -> None:
    """Write a constants file."""
    text = json.dumps(pool.as_dict(), indent=1, ensure_ascii=False)
    write_text_atomic(path, text + "\n")


def load_pool(path: Path) -> Pool:
    """Read a constants file.

    Raises:
        InputError: there is no such file, or it is not a constants file of this version.
    """
    what, fix = "a constants file", "write one with simulator calibrate ROWS.csv --out FILE"
    return Pool.from_dict(table_of(read_json(path, what, fix), str(path), fix))


@cache
def published_pool() -> Pool:
    """The constants that were fitted to the published rows."""
    text = (files("simulator.published") / "constants.json").read_text(encoding="utf-8")
    return Pool.from_dict(json.loads(text))


def world_priors(names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logarithms of the priors of some constants, and their widths (one sigma)."""
    priors = [PRIORS[name] for name in names]
    return np.log([p.value for p in priors]), np.log([p.factor for p in priors])
