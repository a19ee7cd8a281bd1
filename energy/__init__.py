"""What a run spent: quantities with origin and band, facts, formulas, meters, ledger, reports.

Names are loaded on first use, so that `import energy` costs a training script nothing.
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
    from energy.facts.catalog import chip as chip
    from energy.facts.catalog import model as model
    from energy.facts.site import Site as Site
    from energy.facts.site import site as site
    from energy.flops import executed_flop as executed_flop
    from energy.flops import mfu as mfu
    from energy.flops import model_flop as model_flop
    from energy.footprint.apply import at_site as at_site
    from energy.ledger.merge import merge as merge
    from energy.notebook import load_ipython_extension as load_ipython_extension
    from energy.quantity import Boundary as Boundary
    from energy.quantity import Origin as Origin
    from energy.quantity import Quantity as Quantity
    from energy.record import RunRecord as RunRecord
    from energy.shape import Shape as Shape
    from energy.tracking.decorator import track as track
    from energy.tracking.tracker import Tracker as Tracker

    __version__: str
else:
    __getattr__, __dir__, __all__ = _lazy.exports(
        __name__,
        {
            "energy.facts.catalog": ("chip", "model"),
            "energy.facts.site": ("Site", "site"),
            "energy.flops": ("executed_flop", "mfu", "model_flop"),
            "energy.footprint.apply": ("at_site",),
            "energy.ledger.merge": ("merge",),
            "energy.notebook": ("load_ipython_extension",),
            "energy.quantity": ("Boundary", "Origin", "Quantity"),
            "energy.record": ("RunRecord",),
            "energy.shape": ("Shape",),
            "energy.tracking.decorator": ("track",),
            "energy.tracking.tracker": ("Tracker",),
        },
    )
