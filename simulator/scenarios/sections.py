"""The keys of a scenario file: of [model], [run], [hardware], [site] and [published].

Each is frozen, refuses keys that are not its own, and checks its values by itself.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from energy.configurations import read as configurations
from energy.errors import nearest
from energy.facts import catalog
from energy.facts.site import UNITS, Site, site
from energy.quantity import Boundary
from energy.shape import Shape
from energy.stated_total import require_about
from simulator.facts.assumptions import step_tokens
from simulator.scenarios.fields import (
    Count,
    DollarsPerHour,
    DollarsPerKwh,
    GramsPerKwh,
    Hours,
    LitersPerKwh,
    MegawattHours,
    Pue,
    RequirementError,
    Section,
    Share,
    Tokens,
    Tonnes,
    Watts,
)

SHAPE_FIELDS = tuple(field.name for field in fields(Shape))


def _both_or_neither(first: object) -> str:
    """What came of two keys that exclude each other, if one is there as the other is."""
    return "neither" if first is None else "both"


class ModelSection(Section):
    """Which model is trained.

    Attributes:
        preset: a row of the catalog of models (`simulator models`).
        config: instead of a preset, a model's config.json or its folder (`energy.configurations`).
        shape: fields of `energy.shape.Shape` that replace those of the preset, or all of them.
        params_total: what its authors state; refused where the shape has a tenth more or less.
    """

    preset: str | None = None
    config: str | None = None
    params_total: float | None = Field(default=None, gt=0)
    shape: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named_or_whole(self) -> Self:
        for key in self.shape:
            if key not in SHAPE_FIELDS:
                raise RequirementError("with fields of a shape", key, nearest(key, SHAPE_FIELDS))
        if self.preset is None and self.config is None and not self.shape:
            raise RequirementError(
                "with a preset or a shape", "neither", "list presets: simulator models"
            )
        if self.preset is not None and self.config is not None:
            raise RequirementError("with either a preset or a config", "both", "leave one out")
        return self

    def resolve(self) -> Shape:
        """The shape of the model, looked up once.

        Raises:
            InputError: there is no such preset or configuration, the shape contradicts itself, or
                its parameters are not about as many as stated.
        """
        return self.whole_shape

    @cached_property
    def whole_shape(self) -> Shape:
        """What `resolve` gives: a file that changes meanwhile is not read again."""
        if self.preset is None and self.config is None:
            shape = Shape.from_dict(self.shape)
        else:
            whole = self._named_shape().as_dict()
            shape = Shape.from_dict(whole | self.shape)
        if self.params_total is not None:
            require_about(shape, self.params_total, "model.params_total")
        return shape

    def _named_shape(self) -> Shape:
        """The shape of the preset or the configuration."""
        if self.config is not None:
            return self.configuration().shape
        assert self.preset is not None
        return catalog.model(self.preset).shape

    def configuration(self) -> configurations.Configuration:
        """What the configuration says.

        Raises:
            InputError: it cannot be read, or a field of it is not known.
        """
        assert self.config is not None
        seq_len = self.shape.get("seq_len")
        return configurations.read(Path(self.config), None if seq_len is None else int(seq_len))

    @property
    def name(self) -> str:
        """The model by its preset or configuration."""
        if self.config is not None:
            return configurations.model_name(self.config)
        return self.preset or "own shape"


class RunSection(Section):
    """What is run.

    Attributes:
        tokens: tokens trained on, all epochs.
        steps: instead of tokens, optimizer steps.
        batch_tokens: tokens of one optimizer step, over all chips; assumed without either.
        batch_sequences: instead of batch_tokens, sequences of one step.
        goodput: productive over elapsed time; without it a band is assumed, with a note.
        tokens_from: whose tokens these are, where nobody set them: a model of the catalog.
    """

    tokens: Tokens | None = Field(None, gt=0)
    steps: int | None = Field(None, gt=0)
    batch_tokens: Tokens | None = Field(None, gt=0)
    batch_sequences: int | None = Field(None, gt=0)
    goodput: Share | None = None
    tokens_from: str | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if (self.tokens is None) == (self.steps is None):
            raise RequirementError("with either tokens or steps", _both_or_neither(self.tokens))
        if self.batch_tokens is not None and self.batch_sequences is not None:
            raise RequirementError("with either batch_tokens or batch_sequences", "both")
        return self

    @property
    def names_batch(self) -> bool:
        """Whether it says how large a step is; else that is assumed."""
        return self.batch_tokens is not None or self.batch_sequences is not None

    def sequences(self, seq_len: float) -> float:
        """Sequences in one optimizer step, at least one."""
        if self.batch_sequences is not None:
            return float(self.batch_sequences)
        return max(1.0, (self.batch_tokens or step_tokens().numbers()[0]) / seq_len)

    def total_tokens(self, seq_len: float) -> float:
        """Tokens of the whole run."""
        if self.tokens is not None:
            return self.tokens
        assert self.steps is not None
        return self.steps * self.sequences(seq_len) * seq_len


class HardwareSection(Section):
    """What it runs on.

    Attributes:
        chip: a row of the catalog of chips (`simulator chips`).
        machine: instead of chip, a file that `simulator calibrate` wrote.
        precision: of the matrix products; bf16 stands for fp16 on chips without it.
        count: chips.
        software: era and family of what runs it (`software.toml`); its chip's usual one.
        framework: one whose rows were fitted, maybe with its release ("megatron-bridge 26.08").
        tuned: how tuned that is (`software.toml`): vendor-tuned, own system, baseline or first
            implementation; as in vendors' tables, or an own system where it is not known.
        constants: a file that `simulator calibrate` fitted to your own runs.
        link_bytes_per_s: instead of the chip's: all its fast links together, one direction.
        network_bytes_per_s: instead of the chip's: its share of the network, one direction.
    """

    chip: str | None = None
    machine: str | None = None
    precision: Literal["bf16", "fp16", "tf32", "fp32", "fp8", "int8", "fp4"] = "bf16"
    count: int = Field(1, ge=1, le=10**9)
    software: str | None = None
    framework: str | None = None
    tuned: str | None = None
    constants: str | None = None
    link_bytes_per_s: float | None = Field(None, gt=0)
    network_bytes_per_s: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_device(self) -> Self:
        if (self.chip is None) == (self.machine is None):
            raise RequirementError(
                "with either a chip or a machine",
                _both_or_neither(self.chip),
                "list chips: simulator chips",
            )
        return self


class SiteSection(Section):
    """Where it runs; figures by the names of `energy.facts.site.Site`.

    Attributes:
        zone: a grid zone; without it, a band over all zones.
        region: a data center whose figures were published.
        pue: facility energy over IT energy.
        grid_location: average of the grid, gross.
        grid_market: after clean-energy purchases, net.
        wue: liters of the site an IT kWh.
        ewif: liters a kWh of the grid.
        electricity_price: dollars a kWh, or a row of the prices (`simulator prices`).
        chip_price: dollars an hour of one chip, or a row; where there is one, it is the whole cost.
        node_over_chip: joules of the node over those of its chips.
        it_over_node: joules of IT over those of the nodes.
    """

    zone: str | None = None
    region: str | None = None
    pue: Pue | None = None
    grid_location: GramsPerKwh | None = None
    grid_market: GramsPerKwh | None = None
    wue: LitersPerKwh | None = None
    ewif: LitersPerKwh | None = None
    electricity_price: DollarsPerKwh | None = None
    chip_price: DollarsPerHour | None = None
    node_over_chip: Pue | None = None
    it_over_node: Pue | None = None

    def resolve(self) -> Site:
        """The site, with the catalog's assumptions for what is missing.

        Raises:
            MissingDataError: the zone or region is not in the catalog.
        """
        figures = {name: getattr(self, name) for name in UNITS if name in type(self).model_fields}
        return site(self.zone, region=self.region, **figures)


class PublishedSection(Section):
    """What was published of this run.

    Attributes:
        source: where.
        elapsed_h: hours of wall clock.
        chip_power_w: mean watts per chip, at `power_boundary`.
        power_boundary: what those watts hold.
        params_active: the P of the 6 P D that the publication counts.
        accounting: whether its CO2 is gross (location) or net (market).
        energy_mwh: the printed total, for comparison with ours.
        co2_t: the printed total.
    """

    source: str
    elapsed_h: Hours
    chip_power_w: Watts
    power_boundary: Boundary
    params_active: Count
    accounting: Literal["location", "market"]
    energy_mwh: MegawattHours | None = None
    co2_t: Tonnes | None = None
