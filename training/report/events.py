"""How rightly and how soon entering and leaving was told: what `whoplays bench events --json` keeps beside a run."""

from pathlib import Path

import msgspec
import numpy as np

from whoplays.models.errors import DataError


class EventFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of all concerts together."""

    played: int
    """How many entrances there were."""
    told: int
    """Rightly or wrongly."""
    onset_f1: float
    onset_offset_f1: float
    delays_s: tuple[float, ...] = ()
    """From each onset that was told of to the end of the window that showed it."""

    @property
    def right(self) -> int:
        """How many of the entrances told are right: those that have a delay."""
        return len(self.delays_s)

    @property
    def delay_s(self) -> float | None:
        """Their median; None where nothing was told of."""
        return float(np.median(self.delays_s)) if self.delays_s else None


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    hysteresis: object
    hop_s: int
    scores: EventFigures


class Concerts(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's `hysteresis.json` tells."""

    concerts: int
    rows: tuple[_Row, ...] = ()

    def by_hop_s(self) -> dict[int, EventFigures]:
        """Figures with what was fitted on the concerts of others, by the seconds from one window to the next."""
        return {row.hop_s: row.scores for row in self.rows if row.hysteresis is None}


def read_concerts(path: Path) -> Concerts | None:
    """The figures in a run's `hysteresis.json`; None where there is no such file.

    Raises:
        DataError: the file holds anything else.
    """
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Concerts)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} holds no figures of events ({error}); measure them again") from error
