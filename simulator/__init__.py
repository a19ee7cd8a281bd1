"""The same record before the run: what a training run would spend.

Names are loaded on first use.
"""

import typing as _typing

from energy import _lazy

if _typing.TYPE_CHECKING:
    from energy.errors import AccountingError as AccountingError
    from energy.errors import BoundaryError as BoundaryError
    from energy.errors import CommandError as CommandError
    from energy.errors import InfeasibleError as InfeasibleError
    from energy.errors import InputError as InputError
    from energy.errors import MissingDataError as MissingDataError
    from energy.errors import ToleranceError as ToleranceError
    from energy.errors import UnitError as UnitError
    from simulator.physics.hardware import Hardware as Hardware
    from simulator.physics.plan import Plan as Plan
    from simulator.questions.budget.crossover import crossover as crossover
    from simulator.questions.budget.inverse import largest_model as largest_model
    from simulator.questions.budget.inverse import most_tokens as most_tokens
    from simulator.questions.calibrate.answer import calibrate as calibrate
    from simulator.questions.compare.answer import compare as compare
    from simulator.questions.failures.answer import failures as failures
    from simulator.questions.lifetime.answer import lifetime as lifetime
    from simulator.questions.plan.answer import plan as plan
    from simulator.questions.power.answer import power as power
    from simulator.questions.power.caps import capped as capped
    from simulator.questions.predict.answer import Prediction as Prediction
    from simulator.questions.predict.answer import predict as predict
    from simulator.questions.regions.answer import regions as regions
    from simulator.questions.sensitivity.answer import sensitivity as sensitivity
    from simulator.questions.serve.answer import serve as serve
    from simulator.questions.sweep.fastest import sweep as sweep
    from simulator.questions.sweep.feasible import feasible as feasible
    from simulator.questions.sweep.pareto import pareto as pareto
    from simulator.questions.validate.answer import validate as validate
    from simulator.questions.when.answer import when as when
    from simulator.scenarios.scenario import Scenario as Scenario
    from simulator.scenarios.scenario import load as _load_scenario
    from simulator.scenarios.scenario import presets as presets

    load_scenario = _load_scenario
    __version__: str
else:
    __getattr__, __dir__, __all__ = _lazy.exports(
        __name__,
        {
            "simulator.physics.hardware": ("Hardware",),
            "simulator.physics.plan": ("Plan",),
            "simulator.questions.predict.answer": ("Prediction",),
            "simulator.scenarios.scenario": ("Scenario",),
        },
        {
            "simulator.questions.budget.crossover": ("crossover",),
            "simulator.questions.budget.inverse": ("largest_model", "most_tokens"),
            "simulator.questions.calibrate.answer": ("calibrate",),
            "simulator.questions.compare.answer": ("compare",),
            "simulator.questions.failures.answer": ("failures",),
            "simulator.questions.lifetime.answer": ("lifetime",),
            "simulator.questions.plan.answer": ("plan",),
            "simulator.questions.power.answer": ("power",),
            "simulator.questions.power.caps": ("capped",),
            "simulator.questions.predict.answer": ("predict",),
            "simulator.questions.regions.answer": ("regions",),
            "simulator.questions.sensitivity.answer": ("sensitivity",),
            "simulator.questions.serve.answer": ("serve",),
            "simulator.questions.sweep.fastest": ("sweep",),
            "simulator.questions.sweep.feasible": ("feasible",),
            "simulator.questions.sweep.pareto": ("pareto",),
            "simulator.questions.validate.answer": ("validate",),
            "simulator.questions.when.answer": ("when",),
            "simulator.scenarios.scenario": ("load as load_scenario", "presets"),
        },
    )
