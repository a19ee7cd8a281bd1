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
    from simulator.api import load_scenario as load_scenario
    from simulator.api import predict as predict
    from simulator.api import presets as presets
    from simulator.physics.hardware import Hardware as Hardware
    from simulator.physics.plan import Plan as Plan
    from simulator.runs.predict import Prediction as Prediction
    from simulator.scenarios.scenario import Scenario as Scenario

    __version__: str
else:
    __getattr__, __dir__, __all__ = _lazy.exports(
        __name__,
        {
            "simulator.api": ("load_scenario", "predict", "presets"),
            "simulator.physics.hardware": ("Hardware",),
            "simulator.physics.plan": ("Plan",),
            "simulator.runs.predict": ("Prediction",),
            "simulator.scenarios.scenario": ("Scenario",),
        },
    )
