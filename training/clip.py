"""A clip: one recording with its labels, and what must be known so that it is used fairly."""

from pathlib import Path
from typing import Protocol

import msgspec


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """One recording."""

    path: Path
    labels: frozenset[str]
    """Codes of all instruments heard in it; empty for other sounds."""
    group: str
    """Clips of one group share a player, an instrument or a take, and always stay in one split."""
    source: str
    """Where it comes from: what figures are broken down by, and what folds hold out."""
    licence: str = "none stated"
    kind: str = "phrase"
    """`note`, `phrase`, `other-instrument` or `noise`."""


class Corpus(Protocol):
    """A collection of clips. Later corpora plug in here."""

    @property
    def name(self) -> str:
        """What reports and model cards call it."""

    def clips(self) -> list[Clip]:
        """All clips, in a stable order.

        Raises:
            DataError: the corpus cannot be read at all.
        """
