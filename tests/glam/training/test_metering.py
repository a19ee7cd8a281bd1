"""What the meter of a run sees: the steps, and nothing of what comes before them."""

from energy import Tracker
from glam.distributed import processes
from glam.training import run
from tests.support.small_models import small_run


def test_nothing_is_built_while_the_meter_runs(tmp_path, monkeypatch):
    order = []

    class Watched(Tracker):
        def open(self):
            order.append("meter")
            super().open()

    def built(owner, name):
        original = getattr(owner, name)

        def build(*arguments, **options):
            order.append(name)
            return original(*arguments, **options)

        return build

    for owner, name in ((run, "load_corpus"), (processes.Glam, "of"), (run, "build_optimizer")):
        monkeypatch.setattr(owner, name, built(owner, name))
    config = small_run(steps=2, checkpoint_every=0)
    record = run.train(config, tmp_path, peak_flop_per_s=1e12, tracker=Watched)
    assert order == ["load_corpus", "of", "build_optimizer", "meter"]
    assert {window.name for window in record.windows} >= {"step", "evaluate"}
