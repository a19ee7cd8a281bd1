"""A scenario resolved once: model, chips, constants, software, site, and the plans it leaves open.

Everything that a question asks of a scenario is looked up here, at one place and one time; what is
computed afterwards takes a `Setup` and looks nothing up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from energy.errors import InputError
from energy.facts import catalog
from energy.facts.catalog import Chip
from energy.facts.site import Site
from energy.quantity import Quantity
from energy.shape import Shape
from simulator.facts.assumptions import goodput
from simulator.facts.kinds import MODELS, kind_of
from simulator.facts.software import (
    UNRECOGNIZED,
    Software,
    framework_of,
    named_software,
    nearest_framework,
    software_of,
    tuned_of,
)
from simulator.fit.machine import load_machine
from simulator.fit.own_words import rows_behind
from simulator.fit.pool import DEFAULT_TUNED, Pool, load_pool, published_pool
from simulator.fit.shared_machine import FIX
from simulator.physics.constants import Constants
from simulator.physics.hardware import Hardware
from simulator.physics.plan import AXES, Plan
from simulator.plans.space import Space, implied, space
from simulator.runs.hosts import with_hosts
from simulator.runs.plan_keys import plan_fields
from simulator.runs.routing import with_routing
from simulator.scenarios.scenario import Scenario
from simulator.scenarios.sections import HardwareSection, SiteSection


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A scenario with everything that it names looked up.

    Attributes:
        scenario: as the user wrote it.
        shape: of its model.
        hardware: of one chip.
        constants: of the chip and its software, or of a calibrated machine.
        software: of the chips; None on a calibrated machine.
        site: with the catalog's assumptions for what is missing, hosts left out.
        base: the plan as far as the scenario says it; its other axes are searched.
        choices: values of the axes that are not free, by name.
        notes: where the constants come from.
        fitted_rows: published rows of this kind of model on this chip that were fitted; None where
            the constants do not say.
    """

    scenario: Scenario
    shape: Shape
    hardware: Hardware
    constants: Constants
    software: Software | None
    site: Site
    base: Plan
    choices: dict[str, list[Any]]
    notes: tuple[str, ...]
    fitted_rows: int | None = None

    @classmethod
    def of(cls, scenario: Scenario, pool: Pool | None = None) -> Self:
        """Resolve a scenario.

        Args:
            scenario: as the user wrote it.
            pool: constants instead of those that it names.

        Raises:
            InputError: a key or value of it is not valid, or a file that it names.
            MissingDataError: the catalog does not know its chip's peak or memory, or its zone.
        """
        shape, section = scenario.model.resolve(), scenario.hardware
        chosen = plan_fields(scenario, shape) | scenario.workload.plan_fields()
        size: dict[str, Any] = {
            "n_chips": section.count,
            "global_batch": scenario.run.sequences(_seq_len(shape)),
        }
        site = scenario.site.resolve()
        if section.machine is not None:
            hardware, constants = _calibrated(section, sharded=chosen.get("zero") == 3)
            return cls(
                scenario=scenario,
                shape=shape,
                hardware=replace(hardware, **_link_speeds(section)),
                constants=constants,
                software=None,
                site=site,
                # glam train gathers the weights of a layer when it needs them.
                base=Plan(**({"shard_messages": float(shape.n_layers) + 1} | chosen), **size),
                choices={},
                notes=(f"calibrated machine: {section.machine}", *_own_notes(scenario)),
            )
        assert section.chip is not None
        chip = catalog.chip(section.chip)
        software = _software(section, chip)
        pool = pool or pool_of(scenario)
        hardware, constants, notes = _fitted(scenario, chip, software, shape, pool)
        return cls(
            scenario=scenario,
            shape=shape,
            hardware=hardware,
            constants=constants,
            software=software,
            site=site,
            base=Plan(
                **(software.formats(section.precision) | software.execution() | chosen), **size
            ),
            choices=software.allowed()
            | implied(chosen)
            | {name: [value] for name, value in scenario.plan.items() if name in AXES},
            notes=(*notes, *_own_notes(scenario)),
            fitted_rows=pool.rows_on(chip.id, kind_of(shape)),
        )

    @property
    def kind(self) -> str:
        """Dense or moe."""
        return kind_of(self.shape)

    @property
    def chips(self) -> int:
        """Chips of the run."""
        return self.scenario.hardware.count

    @property
    def tokens(self) -> float:
        """Tokens of the whole run."""
        return self.scenario.run.total_tokens(_seq_len(self.shape))

    @property
    def steps(self) -> float:
        """Optimizer steps of the whole run."""
        positions = float(self.base.global_batch) * _seq_len(self.shape)
        return self.tokens / (positions * float(self.base.filled))

    @property
    def goodput(self) -> Quantity:
        """Productive over elapsed time."""
        return goodput(self.scenario.run.goodput, self.chips)

    def space(self, fixed: dict[str, Any] | None = None, *, fine: bool = False) -> Space:
        """The plans that the scenario leaves open.

        Args:
            fixed: values of some axes, instead of what the scenario says of them.
            fine: every divisor instead of powers of two.

        Raises:
            InfeasibleError: no combination is possible.
        """
        choices = self.choices | {name: [value] for name, value in (fixed or {}).items()}
        batch = float(self.base.global_batch)
        return space(self.shape, self.chips, batch, self.base, choices, fine=fine)

    def site_at(self, chip_w: Quantity) -> Site:
        """The site with the hosts of the chips, where the catalog knows them.

        Args:
            chip_w: mean watts of one chip, at the boundary of the hardware's watts.
        """
        return with_hosts(self.scenario, self.site, self.hardware.power_boundary, chip_w)

    def at(self, section: SiteSection) -> Setup:
        """The same run at another site."""
        scenario = self.scenario.model_copy(update={"site": section})
        return replace(self, scenario=scenario, site=section.resolve())

    def on(self, chips: int) -> Setup:
        """The same run on another number of the same chips."""
        hardware = self.scenario.hardware.model_copy(update={"count": chips})
        scenario = self.scenario.model_copy(update={"hardware": hardware})
        if hardware.machine is not None:
            return type(self).of(scenario)
        return replace(self, scenario=scenario, base=replace(self.base, n_chips=chips))

    def of_same_step(self, scenario: Scenario) -> Setup | None:
        """The setup of another scenario, if it has the same step; None if it has another.

        Scenarios of one model, plan, hardware and batch differ in nothing that a step depends on.
        """
        own = self.scenario
        same = (own.model, own.plan, own.hardware, own.workload) == (
            scenario.model,
            scenario.plan,
            scenario.hardware,
            scenario.workload,
        )
        batch = scenario.run.sequences(_seq_len(self.shape))
        if not same or batch != float(self.base.global_batch):
            return None
        site = self.site if own.site == scenario.site else scenario.site.resolve()
        return replace(self, scenario=scenario, site=site)


def _own_notes(scenario: Scenario) -> tuple[str, ...]:
    """What the configuration of the model leaves out or assumes, and what is trained if not all."""
    model, workload = scenario.model, scenario.workload
    configured = () if model.config is None else model.configuration().notes
    return configured if workload.is_pre_training else (*configured, workload.in_words())


def _seq_len(shape: Shape) -> float:
    return float(shape.seq_len)


def pool_of(scenario: Scenario) -> Pool:
    """The constants that a scenario names, or those that the package ships."""
    named = scenario.hardware.constants
    return load_pool(Path(named)) if named else published_pool()


def _calibrated(section: HardwareSection, *, sharded: bool) -> tuple[Hardware, Constants]:
    """One of the processes that share a calibrated machine, or one of several such machines.

    Raises:
        InputError: the speed of their messages is not known.
    """
    machine = load_machine(Path(section.machine or ""))
    if section.count == 1:
        return machine.hardware, machine.constants
    if machine.shared is not None:
        return machine.shared.at(
            section.count, machine.hardware, machine.constants, sharded=sharded
        )
    if section.network_bytes_per_s is None:
        raise InputError(
            f"expected the machine of {section.count} processes to be probed with several",
            f"a probe of one in {section.machine}",
            f"{FIX}; or set hardware.network_bytes_per_s of {section.count} such machines",
        )
    return machine.hardware, machine.constants


def _fitted(
    scenario: Scenario, chip: Chip, software: Software, shape: Shape, pool: Pool
) -> tuple[Hardware, Constants, tuple[str, ...]]:
    """A chip of the catalog with the constants fitted to it, and notes on their rows."""
    section = scenario.hardware
    release = (section.framework or "").lower()
    words = {
        "architecture": chip.architecture or "other",
        "software": software.name,
        "framework": framework_of(release) if release else "",
        "release": release,
        "kind": kind_of(shape),
        "tuned": tuned_of(section.tuned or ""),
        "chip": chip.id,
    }
    constants = pool.constants(**words)
    low, high = pool.unseen_band(
        words["kind"],
        framework=words["framework"],
        architecture=words["architecture"],
        chip=words["chip"],
        tuned=words["tuned"],
    )
    constants, (low, high), notes = with_routing(constants, (low, high), pool, words, scenario.plan)
    hardware = replace(
        Hardware.from_chip(chip, section.precision, constants),
        time_relative=(float(np.expm1(-high)), float(np.expm1(-low))),
        **_link_speeds(section),
    )
    return hardware, constants, _notes(pool, words) + notes


def _notes(pool: Pool, words: dict[str, str]) -> tuple[str, ...]:
    """Where the constants come from, and what was assumed of a framework."""
    framework, kind, tuned = words["framework"], words["kind"], words["tuned"]
    rows = (
        f"constants fitted to {pool.provenance.get('rows', 0):,} rows, {_like(pool, words)}; "
        f"software {words['software']}"
    )
    slower = np.exp(pool.slowdown(kind, framework=framework, tuned=tuned))
    if not framework:
        known = f"framework: none named; taken as {tuned or 'vendor-tuned'}"
    elif pool.has_seen(framework=framework):
        known = f"framework: {framework}, {tuned or 'tuned as in its rows'}"
    else:
        nearest = nearest_framework(framework, words["software"], pool.deviations["framework"])
        known = f"framework not known; nearest: {nearest}; taken as {tuned or DEFAULT_TUNED}"
    notes = (rows, f"{known}, {slower:.2f} times the step time (hardware.tuned)")
    own = pool.own.get(words["chip"], {}).get(kind)
    if own is None:
        return notes
    source = rows_behind(own, "measured row")
    return (
        *notes,
        f"scaled to {source} of this cluster: {np.exp(own['ln']):.2f} times the step time",
    )


def _like(pool: Pool, words: dict[str, str]) -> str:
    """How many fitted rows are like this: of this kind of model on this chip."""
    architecture = words["architecture"]
    seen = pool.has_seen(architecture=architecture)
    generation = f"{'with' if seen else 'none of them on'} {architecture}"
    count = pool.rows_on(words["chip"], words["kind"])
    if count is None or not seen:
        return generation
    return f"{generation}, {count or 'none'} of them of {MODELS[words['kind']]} on {words['chip']}"


def _link_speeds(section: HardwareSection) -> dict[str, Any]:
    """Speeds that a scenario gives instead of its chip's."""
    return {
        name: value
        for name in ("link_bytes_per_s", "network_bytes_per_s")
        if (value := getattr(section, name)) is not None
    }


def _software(section: HardwareSection, chip: Chip) -> Software:
    """What a scenario names: software, or else its framework's; the chip's usual otherwise."""
    if section.software is None and section.framework:
        named = software_of(section.framework)
        if named.name != UNRECOGNIZED:
            return named
    return named_software(section.software or ("xla" if chip.link_axes else "megatron"))
