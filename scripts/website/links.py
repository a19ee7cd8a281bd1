"""Links of a built site that lead nowhere, and what its pages would load from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")}


class _Page(HTMLParser):
    """The links, the anchors and what is loaded of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what the tag names."""
        for key, value in attrs:
            if key in ("id", "name") and value:
                self.anchors.add(value)
            if tag == "a" and key == "href" and value:
                self.links.append(value)
            if (tag, key) in LOADED and value:
                self.loaded.append(value)


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def broken(site: Path) -> list[str]:
    """A line for each link that leads nowhere, and for each thing that is loaded from elsewhere."""
    pages = sorted(path for path in site.rglob("*.html") if path.name != "404.html")
    if not pages:
        return [f"{site}: no page"]
    return [line for path in pages for line in _wrong(site, path)]


def _wrong(site: Path, path: Path) -> Iterator[str]:
    page = _read(path)
    here = path.relative_to(site).as_posix()
    for link in page.links + page.loaded:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            if link in page.loaded and parts.scheme != "data":
                yield f"{here}: loads {link}"
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if link.startswith("/"):
            target = site.resolve() / unquote(parts.path).lstrip("/")
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            yield f"{here}: {link}"
        elif (
            parts.fragment
            and target.suffix == ".html"
            and unquote(parts.fragment) not in _read(target).anchors
        ):
            yield f"{here}: {link}: no such heading"
