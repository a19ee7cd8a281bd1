"""The compiler's answers beside the simulator's as frames of pandas, units in their columns."""

from __future__ import annotations

from typing import Any

from benchmarks.tpu_oracle import ours
from benchmarks.tpu_oracle.rows import Row
from energy.units import GIB


def flop(rows: list[Row]) -> Any:
    """FLOP of a chip, forward and backward; below 1 the compiler computes products again."""
    table = []
    for row in whole(rows):
        said = sum(ours.flop(row.case).values())
        table.append(
            {
                "program": row.case.words,
                "compiler_flop": row.flop,
                "simulator_flop": round(said),
                "ratio": round(said / row.flop, 4),
            }
        )
    return to_frame(table)


def messages(rows: list[Row]) -> Any:
    """Megabytes that leave a chip, by what they are for: the compiler's, then the simulator's."""
    table = []
    for row in whole(rows):
        theirs, said = ours.sent_by_compiler(row), ours.sent(row.case)
        table.append(
            {
                "program": row.case.words,
            }
            | {
                f"{name}, {whose}, MB": round(sizes[name] / 1e6, 1)
                for name in ours.PURPOSES
                for whose, sizes in (("compiler", theirs), ("simulator", said))
            }
        )
    return to_frame(table)


def memory(rows: list[Row]) -> Any:
    """The most memory of a chip at one time."""
    table = []
    for row in whole(rows):
        said = sum(ours.memory_bytes(row.case).values())
        table.append(
            {
                "program": row.case.words,
                "compiler_gb": round(row.peak_bytes / 1e9, 2),
                "simulator_gb": round(said / 1e9, 2),
                "ratio": round(said / row.peak_bytes, 2),
                "whole model": row.case.whole,
            }
        )
    return to_frame(table)


def verdicts(rows: list[Row]) -> Any:
    """Whether plans that a seed drew fit, by both; no verdict where one of them decides nothing."""
    limit = float(ours.chip().memory_bytes)
    table = []
    for row in rows:
        if not row.case.drawn or not (row.compiled or row.refused):
            continue
        needs = row.answer["refused"]["needs_gib"] * GIB if row.refused else row.peak_bytes
        said = sum(ours.memory_bytes(row.case).values())
        table.append(
            {
                "program": row.case.words,
                "compiler": ours.compiler_verdict(row),
                "of the limit": round(needs / limit, 2) if needs else None,
                "simulator": ours.verdict(row.case),
                "of the limit, simulator": round(said / limit, 2),
                "same": {True: "yes", False: "no", None: "-"}[ours.agree(row)],
            }
        )
    return to_frame(table)


def summary(rows: list[Row]) -> Any:
    """How far both agree: FLOP and memory of programs, verdicts on plans that a seed drew."""
    work, peaks, fits = flop(rows)["ratio"], memory(rows), verdicts(rows)["same"]
    pairs = peaks["ratio"][~peaks["whole model"]]
    models = peaks["ratio"][peaks["whole model"]]
    figures = {
        "programs": len(work),
        "of them of equal FLOP": int((work == 1).sum()),
        "least ratio of FLOP": float(work.min()),
        "memory of pairs of layers, least": float(pairs.min()),
        "memory of pairs of layers, most": float(pairs.max()),
        "memory of whole models, least": float(models.min()),
        "memory of whole models, most": float(models.max()),
        "plans drawn": len(fits),
        "of the same verdict": int((fits == "yes").sum()),
        "of another verdict": int((fits == "no").sum()),
    }
    return to_frame([{"figure": name, "value": f"{value:g}"} for name, value in figures.items()])


def whole(rows: list[Row]) -> list[Row]:
    """The programs that were compiled and that no seed drew."""
    return [row for row in rows if row.compiled and not row.case.drawn]


def to_frame(table: list[dict[str, Any]]) -> Any:
    """A frame of rows whose first column names them."""
    import pandas

    frame = pandas.DataFrame(table)
    return frame.set_index(frame.columns[0])
