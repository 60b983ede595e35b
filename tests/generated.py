"""What pages take from the code: written anew by `make docs`, and compared by tests."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def check_block(page: str, name: str, text: str) -> None:
    """What stands between `<!-- name -->` and `<!-- /name -->` in a page of docs/ is this text."""
    path = DOCS / page
    before = path.read_text(encoding="utf-8")
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    assert block.search(before), f"{page} has no place for {name}"
    after = block.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", before)
    if os.environ.get("WHOPLAYS_UPDATE_DOCS") == "1":
        path.write_text(after, encoding="utf-8")
    else:
        assert before == after, "run: make docs"


def table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    head, *body = ("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|\n" for row in (headings, *rows))
    return f"{head}|{'---|' * len(headings)}\n{''.join(body)}"
