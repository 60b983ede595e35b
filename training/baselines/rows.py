"""The table of the original project, row by row: the recipe, how long it learns here, and what the project stated."""

from types import MappingProxyType
from typing import Final, NamedTuple

from whoplays.training.recipes import EFFICIENTAT

TREES: Final = (50, 100, 200, 500)


class Row(NamedTuple):
    """One row: a run of a recipe, and how long it learns on two CPU cores."""

    name: str
    """Of the row and of its run folder."""
    recipe: str
    changes: MappingProxyType[str, int]
    """What a fresh run is given instead of the recipe's own settings; one that is there already keeps what it has."""
    base: str | None = None
    """The row whose frozen features it learns from, standing above, or the tagger."""
    original: str = ""
    """The original project's own figure."""


def _row(name: str, recipe: str, base: str | None = None, original: str = "", **changes: int) -> Row:
    return Row(name, recipe, MappingProxyType(changes), base, original)


ROWS: Final = (
    *(_row(f"forest-raw-{trees}", "forest-raw", original="38 %; 14 %", trees=trees) for trees in TREES),
    *(_row(f"forest-mel-{trees}", "forest-mel", trees=trees) for trees in TREES),
    _row("solo-rawcnn", "solo-rawcnn", original="solos 70.7 %", epochs=3, epoch_windows=1024),
    _row("duo-rawcnn", "duo-rawcnn", original="labels 69.7 %, exact 22 %; duet 60.9 %", epochs=3, epoch_windows=1024),
    _row("transfer-rawcnn", "transfer-rawcnn", "solo-rawcnn", original="64.2 %"),
    _row("duo-crnn", "duo-crnn", epochs=6, epoch_windows=1024),
    _row("transfer-efficientat", "transfer-efficientat", EFFICIENTAT),
)
"""Cheap rows and those that others learn from stand first."""
