"""A GLaM trainer: mixture-of-experts and dense language models under a power meter.

Names are loaded on first use; those that compute load torch.
"""

import os as _os
import typing as _typing

from energy import _lazy

# Threads of torch on a CPU wait for each other by spinning, for as long as their time slice lasts
# when another process has the core. A bounded spin loses nothing on a quiet machine (0.18 s a
# step of glam-mini-16e on two cores either way); with other work beside it a step took 0.59 and
# 0.65 s instead of 0.66 and 2.80 s. OpenMP reads this when torch is loaded, so it stands here;
# the user's own choice goes first.
if "OMP_WAIT_POLICY" not in _os.environ:
    _os.environ.setdefault("GOMP_SPINCOUNT", "20000")

if _typing.TYPE_CHECKING:
    from energy.errors import AccountingError as AccountingError
    from energy.errors import BoundaryError as BoundaryError
    from energy.errors import CommandError as CommandError
    from energy.errors import InfeasibleError as InfeasibleError
    from energy.errors import InputError as InputError
    from energy.errors import MissingDataError as MissingDataError
    from energy.errors import ToleranceError as ToleranceError
    from energy.errors import UnitError as UnitError
    from glam.checkpoints.checkpoint import load_checkpoint as load_checkpoint
    from glam.config import GlamConfig as GlamConfig
    from glam.data.corpus import TokenCorpus as TokenCorpus
    from glam.data.corpus import load_corpus as load_corpus
    from glam.generation.text import generate as generate
    from glam.generation.text import generate_all as generate_all
    from glam.model.decoder import Glam as Glam
    from glam.probing.probe import probe as probe
    from glam.training.run import train as train
    from glam.training.validation import evaluate as evaluate

    __version__: str
else:
    __getattr__, __dir__, __all__ = _lazy.exports(
        __name__,
        {
            "glam.checkpoints.checkpoint": ("load_checkpoint",),
            "glam.config": ("GlamConfig",),
            "glam.data.corpus": ("TokenCorpus", "load_corpus"),
            "glam.generation.text": ("generate", "generate_all"),
            "glam.model.decoder": ("Glam",),
            "glam.probing.probe": ("probe",),
            "glam.training.run": ("train",),
            "glam.training.validation": ("evaluate",),
        },
    )
