"""A table of a page that sorts by any column, and whose rows are the numbered marks of a picture.

Under the pointer a mark says what its row says, and its row is shaded; a row does the same for its
marks. All of it is in the page: nothing is fetched.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Cell = tuple[float | str, str]
"""What a column is sorted by, and what is shown."""

MARK = "mark"
"""How the names of the marks of a picture begin; they end in the number of their row."""

STYLE = """<style>
.sortable th button { all: unset; cursor: pointer; font-weight: 600; }
.sortable th button:focus-visible { outline: 2px solid currentColor; }
.sortable th[aria-sort=ascending] button::after { content: " ▲"; }
.sortable th[aria-sort=descending] button::after { content: " ▼"; }
.sortable td:nth-child(n) { font-variant-numeric: tabular-nums; min-width: 0; white-space: nowrap; }
.sortable td:last-child { white-space: normal; min-width: 16rem; }
.sortable tr.shown { outline: 2px solid currentColor; }
figure [id^=mark].shown { filter: drop-shadow(0 0 4px currentColor); }
</style>"""

SCRIPT = """<script>
const table = document.querySelector(".sortable"), body = table.tBodies[0];
const rows = new Map([...body.rows].map(row => [row.dataset.number, row]));
const marks = [...document.querySelectorAll('figure [id^="mark-"]')];
const number = mark => mark.id.split("-").pop();
function show(which, on) {
  rows.get(which)?.classList.toggle("shown", on);
  marks.filter(mark => number(mark) == which).forEach(mark => mark.classList.toggle("shown", on));
}
for (const each of [...marks, ...rows.values()]) {
  const which = each.dataset.number ?? number(each);
  each.addEventListener("pointerenter", () => show(which, true));
  each.addEventListener("pointerleave", () => show(which, false));
}
for (const mark of marks) {
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = [...(rows.get(number(mark))?.cells ?? [])].map(
    (cell, at) => `${table.tHead.rows[0].cells[at].textContent}: ${cell.textContent}`).join("\\n");
  mark.prepend(title);
}
[...table.tHead.rows[0].cells].forEach((head, column) => head.firstChild.addEventListener(
  "click", () => {
    const down = head.getAttribute("aria-sort") == "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => row.cells[column].dataset.key, sign = down ? -1 : 1;
    const order = (one, two) => isNaN(one) || isNaN(two) ? one.localeCompare(two) : one - two;
    [...body.rows].sort((one, two) => sign * order(key(one), key(two))).forEach(
      row => body.append(row));
  }));
</script>"""


def sortable(heads: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str) -> str:
    """The table as HTML, with what makes it sort.

    Args:
        heads: of the columns, after the number of a row.
        rows: their cells, from row 1 on.
        caption: above it.
    """
    top = "".join(f"<th><button>{escape(head)}</button></th>" for head in ("no.", *heads))
    lines = []
    for number, row in enumerate(rows, 1):
        cells = [(number, str(number)), *row]
        each = "".join(
            f'<td data-key="{escape(str(key))}">{escape(shown)}</td>' for key, shown in cells
        )
        lines.append(f'<tr data-number="{number}">{each}</tr>')
    return (
        f'{STYLE}<p>{escape(caption)}</p><div class="scroll"><table class="sortable"><thead>'
        f"<tr>{top}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>{SCRIPT}"
    )
