"""A training run and a probe of this machine, made once for all tests of the folder."""

import json

import pytest

from glam.config import Dispatch
from glam.probing import answers, clock
from glam.probing.probe import probe as probe_machine
from glam.training.run import train
from tests.support.small_models import small_run


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The configuration and the folder of a run that `glam train` would leave."""
    # Without capacity there is no padding to execute, as a scenario assumes by default.
    config = small_run(steps=3, checkpoint_every=0, dispatch=Dispatch(kind="dropless"))
    out = tmp_path_factory.mktemp("run")
    train(config, out, peak_flop_per_s=1e12)
    return config, out


@pytest.fixture(scope="session")
def probe(tmp_path_factory):
    """The file that `glam probe` would write, from one round of short timings."""
    path = tmp_path_factory.mktemp("probe") / "probe.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "REPEATS", 1)
        patch.setattr(clock, "FLUSH_VALUES", 1024)
        patch.setattr(answers, "MEGABYTES", (1, 4))
        path.write_text(
            json.dumps(probe_machine("cpu", meters=["cpu_model"], rounds=1, processes=2))
        )
    return path
