"""Write docs/tpu.md: the compiler's answers beside what the simulator says of the same programs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.pages import Table, markdown_table, write_between
from benchmarks.process import ROOT
from benchmarks.tpu_oracle import ours
from benchmarks.tpu_oracle.cases import cases
from benchmarks.tpu_oracle.rows import CLOCK_HZ, ROWS, Row, read_rows
from energy.errors import InputError
from energy.units import GIB

PAGE = ROOT / "docs" / "tpu.md"
MARK = "answers: benchmarks.tpu_oracle page"
NAMES = {"DM": "dense + mixture", "DD": "dense + dense", "D": "dense", "M": "mixture"}


def write_page(page: Path = PAGE) -> None:
    """Write the tables between the marks of the page, and the picture beside it.

    Raises:
        InputError: there are no answers, or the page does not have the marks.
    """
    from benchmarks.tpu_oracle.picture import draw

    rows = read_rows()
    if not any(row.compiled for row in rows):
        raise InputError(
            f"expected answers of the compiler in {ROWS}",
            "none",
            "ask it first: python -m benchmarks.tpu_oracle compile",
        )
    write_between(page, MARK, text(rows))
    draw(rows, page.with_suffix(".png"))


def text(rows: list[Row]) -> str:
    """The tables in Markdown."""
    done = [row for row in rows if row.compiled and not row.case.drawn]
    parts = [
        f"{_versions(rows)}",
        "### FLOP of a chip, forward and backward",
        markdown_table(*_flop(done)),
        "### Bytes that leave a chip, MB: the compiler / the simulator",
        markdown_table(*_messages(done)),
        "### Memory of a chip at its peak, GB",
        markdown_table(*_memory(done)),
        "### Fits or not: plans that a seed drew",
        markdown_table(*_verdicts([row for row in rows if row.case.drawn])),
        "### Seconds of products, ms: the compiler's cycles / the simulator",
        markdown_table(*_seconds(done)),
    ]
    parts.append(_left_out(rows))
    return "\n\n".join(part for part in parts if part)


def _left_out(rows: list[Row]) -> str:
    """Programs that have no answer: those that did not end in time, and those not begun."""
    answered = {row.case for row in rows}
    failed = [
        f"{row.case.name} ({row.answer['not_compiled']})"
        for row in rows
        if "not_compiled" in row.answer
    ]
    rest = [case.name for case in cases() if case not in answered]
    texts = []
    if failed:
        texts.append(f"Not compiled: {'; '.join(failed)}.")
    if rest:
        texts.append(f"Programs of the command that have no answer yet: {', '.join(rest)}.")
    return " ".join(texts)


def _versions(rows: list[Row]) -> str:
    packages = next(row.answer["packages"] for row in rows if "packages" in row.answer)
    dates = sorted({row.answer["date"] for row in rows})
    named = ", ".join(f"{name} {version}" for name, version in packages.items())
    return f"{len(rows)} programs, {named}, {dates[0]}" + (f" to {dates[-1]}" * (len(dates) > 1))


def _words(row: Row) -> list[str]:
    """The first columns of every table: model, chips and mesh, tokens, dispatch, recomputation."""
    case = row.case
    how = [case.dispatch] if "M" in case.layers else []
    how += [f"ZeRO {case.zero}"] + (["recomputed"] if case.recompute == "full" else [])
    mesh = "x".join(map(str, case.mesh))
    layers = f"{case.model.removeprefix('glam-')}, {NAMES[case.layers]}"
    return [layers, f"{case.chips:,} ({mesh})", f"{case.sequences:,}", ", ".join(how)]


HEADS = ["layers", "chips (r x y)", "sequences", "how"]


def _flop(rows: list[Row]) -> Table:
    table = []
    for row in rows:
        said = sum(ours.flop(row.case).values())
        other = row.answer["flop_by_cost_analysis"] / row.flop - 1
        table.append(
            [
                *_words(row),
                f"{row.flop:,}",
                f"{said:,.0f}",
                f"{said / row.flop - 1:+.4%}",
                f"{other:+.1%}",
            ]
        )
    return [*HEADS, "compiler, by walk", "simulator", "difference", "`cost_analysis`"], table


def _messages(rows: list[Row]) -> Table:
    table = []
    for row in rows:
        theirs, said, times = ours.sent_by_compiler(row), ours.sent(row.case), ours.counts(row)
        cells = [
            f"{theirs[name] / 1e6:,.1f} / {said[name] / 1e6:,.1f}" if said[name] else "-"
            for name in ours.PURPOSES
        ]
        gathers = f"{times['gathers']}, {times['scatters']}" if row.case.mesh[2] > 1 else "-"
        table.append([*_words(row), *cells, gathers, f"{theirs['other'] / 1e6:,.1f}"])
    return [*HEADS, *ours.PURPOSES, "gathers, scatters of T x M", "other"], table


def _memory(rows: list[Row]) -> Table:
    table = []
    for row in rows:
        parts = ours.memory_bytes(row.case)
        said = sum(parts.values())
        named = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in parts.items() if size >= 5e6)
        table.append(
            [
                *_words(row),
                f"{row.peak_bytes / 1e9:.2f}",
                f"{said / 1e9:.2f}",
                f"{said / row.peak_bytes:.2f}",
                named,
            ]
        )
    return [*HEADS, "compiler", "simulator", "ratio", "of which"], table


def _verdicts(rows: list[Row]) -> Table:
    table = []
    for row in rows:
        if not row.compiled and not row.refused:
            continue
        needs = row.answer["refused"]["needs_gib"] if row.refused else row.peak_bytes / GIB
        said = sum(ours.memory_bytes(row.case).values()) / float(ours.chip().memory_bytes)
        same = {True: "yes", False: "**no**", None: "-"}[ours.agree(row)]
        limit = float(ours.chip().memory_bytes) / GIB
        table.append(
            [
                *_words(row),
                ours.compiler_verdict(row),
                f"{needs / limit:.2f}" if needs else "-",
                f"{said:.2f}",
                ours.verdict(row.case),
                same,
            ]
        )
    heads = ["compiler", "of the limit", "simulator, of the limit", "simulator", "same"]
    return [*HEADS, *heads], table


def _seconds(rows: list[Row]) -> Table:
    table = []
    for row in rows:
        cycles, said = row.answer["product_cycles"], ours.product_seconds(row.case)
        cells = [
            f"{cycles[name] / CLOCK_HZ * 1e3:.2f} / {said[name] * 1e3:.2f}"
            if name in cycles and name in said
            else "-"
            for name in PRODUCTS
        ]
        theirs, mine = sum(cycles.values()) / CLOCK_HZ, sum(said.values())
        table.append(
            [*_words(row), *cells, f"{theirs * 1e3:.2f} / {mine * 1e3:.2f}", f"{mine / theirs:.2f}"]
        )
    return [*HEADS, *PRODUCTS.values(), "all", "ratio"], table


PRODUCTS = {
    "attention_projections": "projections",
    "attention_scores": "scores",
    "dense_ffn": "dense network",
    "experts": "experts",
    "dispatch": "one-hot dispatch",
}
