"""A clip: one recording with its labels, and what must be known so that it is used fairly."""

from pathlib import Path
from typing import Final, Protocol

import msgspec

_BARELY_S: Final = 0.5


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment of a recording and what plays in it. Segments may overlap; where there is none, nothing plays."""

    start_s: float
    end_s: float
    labels: frozenset[str]


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """One recording."""

    path: Path
    labels: frozenset[str]
    """English names of all instruments that play in it; empty for other sounds."""
    group: str
    """Clips of one group share a player, an instrument or a take, and always stay in one split."""
    source: str
    """Where it comes from: what figures are broken down by, and what folds hold out."""
    licence: str = "none stated"
    kind: str = "phrase"
    """`note`, `phrase`, `other-instrument` or `noise`."""
    timeline: tuple[Segment, ...] = ()
    """When each instrument plays, where that is known; else all of `labels` play all the time."""

    def labels_between(self, start_s: float, end_s: float) -> frozenset[str] | None:
        """What plays in a window of the recording: whatever sounds for half a second of it or longer.

        None where something sounds for less: which instruments play in such a window is ambiguous.
        """
        if not self.timeline:
            return self.labels
        sounding_s = {label: _covered_s(self._of(label), start_s, end_s) for label in self.labels}
        if any(0 < length < _BARELY_S for length in sounding_s.values()):
            return None
        return frozenset(label for label, length in sounding_s.items() if length)

    def described(self) -> bytes:
        """Its name, and all that decides which windows are made of it."""
        known = (self.path.name, sorted(self.labels), self.group, self.kind)
        times = [(segment.start_s, segment.end_s, sorted(segment.labels)) for segment in self.timeline]
        return msgspec.json.encode((*known, times))

    def playing_s(self) -> list[tuple[float, float]]:
        """When any of its labels plays, in order and apart; only where there is a timeline."""
        return _union([segment for segment in self.timeline if segment.labels & self.labels])

    def _of(self, label: str) -> list[Segment]:
        return [segment for segment in self.timeline if label in segment.labels]


def _union(segments: list[Segment]) -> list[tuple[float, float]]:
    """What segments cover, as spans in order; what several of them cover is there once."""
    spans: list[tuple[float, float]] = []
    for segment in sorted(segments, key=lambda one: one.start_s):
        left = max(segment.start_s, spans[-1][1]) if spans else segment.start_s
        if segment.end_s > left:
            spans.append((left, segment.end_s))
    return spans


def _covered_s(segments: list[Segment], start_s: float, end_s: float) -> float:
    """How much of a window segments cover."""
    return sum(max(0.0, min(right, end_s) - max(left, start_s)) for left, right in _union(segments))


class Corpus(Protocol):
    """A collection of clips. Later corpora plug in here."""

    def clips(self) -> list[Clip]:
        """All clips, in a stable order.

        Raises:
            DataError: the corpus cannot be read at all.
        """
