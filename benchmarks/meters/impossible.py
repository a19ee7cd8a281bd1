"""Readings that cannot be, and readings that seem so and are true: cases on virtual machines.

A reading that no device could cause must not be counted, and must be noted: a dip, a step back of
microjoules, a jump, a spike, a power beyond every limit or below 0, a wider meter that stands
still. Readings that only look like these must count: a counter that turns or begins again after a
reset of the driver, a burst up to the limit, a late first answer, a machine that slept.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.meters.judge import AXIS_S, WIDER, SoundBand
from benchmarks.meters.odd_scenes import IMPOSSIBLE, TRUE, Case, Maker, Scene
from benchmarks.meters.unread import record_of, sound_band
from benchmarks.meters.virtual.metering import metered, saved

HALF_S = 0.5
"""Time by which the stretch around an odd reading may be cut on either side, beyond an interval."""


def cases(kinds: Mapping[str, tuple[Maker, Sequence[str]]], count: int) -> list[Case]:
    """Cases of every kind and meter, in turn."""
    pairs = [(kind, meter) for kind, (_, meters) in kinds.items() for meter in meters]
    return [Case(*pairs[i % len(pairs)], seed=i) for i in range(count)]


def judge(case: Case, library: Path) -> list[str]:
    """Run one case; returns in words what is wrong with its record."""
    maker, _ = {**IMPOSSIBLE, **TRUE}[case.kind]
    scene = maker(case, random.Random(case.seed))
    rows = metered(scene.devices, library, [scene.life], scene.windows, seed=case.seed)
    with tempfile.TemporaryDirectory() as folder:
        record = record_of("run", [saved(Path(folder), rows)])
    load, seconds = scene.devices[scene.device].load, scene.life.end_s - scene.life.begin_s
    sound = sound_band(case.meter, load, seconds, library)
    return list(_wrong(record, scene, sound))


def _wrong(record: Mapping[str, Any], scene: Scene, sound: SoundBand) -> Iterator[str]:
    """What is wrong with the record of a scene; `sound` is the band of a run without oddities."""
    entries = [entry for entry in record["energy"] if entry["device"] == scene.device]
    measured = [entry for entry in entries if entry["origin"] == "measured"]
    if len(measured) != 1:
        yield f"{len(measured)} measured entries"
        return
    (entry,) = measured
    elapsed_s, spent_j = record["elapsed_s"]["value"], scene.spent_j
    unread_s = elapsed_s * (1 - entry["covered"])
    if unread_s > scene.lost_s + HALF_S:
        yield f"{unread_s:.1f} s are not measured, of at most {scene.lost_s + HALF_S:.1f} s"
    run_s = scene.life.end_s - scene.life.begin_s
    if spent_j is None:
        exact_j = scene.watts * (elapsed_s - unread_s)
    else:
        exact_j = spent_j * (elapsed_s - unread_s) / run_s
    slack_j = AXIS_S * scene.watts + 1e-3 * exact_j
    if spent_j is not None:
        slack_j += scene.lost_s * scene.watts + (run_s - elapsed_s) * spent_j / run_s
    if not entry["low"] - slack_j <= exact_j <= entry["high"] + slack_j:
        band = f"{entry['low']:.4g} to {entry['high']:.4g} J"
        yield f"{entry['value']:.4g} J ({band}) for {exact_j:.4g} J"
    # A counter that slept adds joules in no time; an odd reading divides the run in two.
    most_s = max(elapsed_s, exact_j / scene.watts)
    sound_j = 2 * sound.edges_j + most_s * sound.per_s_w + slack_j
    if (entry["high"] - entry["low"]) / 2 > WIDER * sound_j:
        yield f"half width {(entry['high'] - entry['low']) / 2:.4g} J, {sound_j:.4g} J if sound"
    yield from _wrong_words(record, scene)


def _wrong_words(record: Mapping[str, Any], scene: Scene) -> Iterator[str]:
    """What is wrong with the notes, and with what was refused."""
    notes = " ".join(record["notes"])
    named = [e for e in record["energy"] if e["device"] == scene.device and e["why"]]
    if scene.notes and not named and not any(word in notes for word in scene.notes):
        yield f"no note: {notes!r}"
    if spoken := [word for word in scene.silent_about if word in notes]:
        yield f"true readings {spoken}: {notes!r}"
    if scene.refused:
        refused = [entry for entry in record["energy"] if entry["device"] == scene.refused]
        if any(entry["value"] is not None for entry in refused):
            yield f"{scene.refused} is believed"
        if not refused:
            yield f"{scene.refused} is not named"
