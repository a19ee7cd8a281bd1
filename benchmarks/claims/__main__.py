"""What `energy lint` finds: its rules, planted slips, and the published rows as they are.

python -m benchmarks.claims [--runs TABLE ...] [--write docs/lint.md] [--json]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.claims.recall import TABLES, findings_of, recall, rows_of
from benchmarks.pages import Table, markdown_table, print_table, write_between
from energy.claims.check import DECLARED_IN
from energy.claims.rule import RULES
from energy.console import print_json
from energy.guard import guard

RULES_MARK = "rules: benchmarks.claims"
RECALL_MARK = "planted slips: benchmarks.claims"
ROWS_MARK = "published rows: benchmarks.claims"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, nargs="+", default=TABLES, help="tables of runs")
    parser.add_argument("--write", type=Path, help="page whose tables are replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    guard(lambda: run(options.runs, options.write, as_json=options.json))


def run(tables: list[Path], page: Path | None, *, as_json: bool) -> None:
    """Count, print, and write the tables into a page."""
    shown = {
        RULES_MARK: rules_table(),
        RECALL_MARK: recall_table(tables),
        ROWS_MARK: rows_table(tables),
    }
    if as_json:
        print_json({mark: [list(row) for row in rows] for mark, (_, rows) in shown.items()})
    else:
        for heads, rows in shown.values():
            print_table(heads, rows)
    if page is not None:
        for mark, (heads, rows) in shown.items():
            write_between(page, mark, markdown_table(heads, rows))


def rules_table() -> Table:
    """Every rule with its reason."""
    assert DECLARED_IN
    rows = [(f"`{rule.name}`", str(rule.severity), rule.reason) for rule in RULES.values()]
    return ("rule", "severity", "reason"), rows


def recall_table(tables: list[Path]) -> Table:
    """Slips noticed of those planted, by kind."""
    counts = recall(rows_of(tables))
    noticed, total = (sum(pair[place] for pair in counts.values()) for place in (0, 1))
    rows = [(kind, str(total), str(noticed)) for kind, (noticed, total) in counts.items()]
    return ("slip", "planted", "noticed"), [
        *rows,
        ("all", str(total), f"{noticed} ({noticed / total:.1%})"),
    ]


def rows_table(tables: list[Path]) -> Table:
    """What the rules say of the rows as published."""
    noticed = [finding for row in rows_of(tables) for finding in findings_of(row)]
    rows = [(f.where, str(f.severity), f"`{f.rule}`", f.message) for f in noticed]
    return ("row", "severity", "rule", "message"), rows


if __name__ == "__main__":
    main()
