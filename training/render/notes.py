"""Notes: what every score, part and renderer here speaks of."""

from collections.abc import Iterable
from typing import NamedTuple


class Note(NamedTuple):
    """One note."""

    start_s: float
    length_s: float
    key: int
    """MIDI key number: 60 is middle C, 69 is 440 Hz."""
    velocity: int = 80
    """1 (softest) to 127 (loudest)."""

    @property
    def end_s(self) -> float:
        """When it is let go."""
        return self.start_s + self.length_s


class Range(NamedTuple):
    """The lowest and the highest key that an instrument plays."""

    low: int
    high: int


def transposed(notes: Iterable[Note], keys: int) -> list[Note]:
    """All notes moved up by so many keys (down if negative)."""
    return [note._replace(key=note.key + keys) for note in notes]


def monophonic(notes: Iterable[Note]) -> list[Note]:
    """The top line: of notes that start within 30 ms the highest, each let go when the next begins."""
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start_s, -note.key)):
        if line and note.start_s - line[-1].start_s < 0.03:
            continue
        if line and line[-1].end_s > note.start_s:
            line[-1] = line[-1]._replace(length_s=note.start_s - line[-1].start_s)
        line.append(note)
    return line


def fold(key: int, span: Range) -> int:
    """The key moved by octaves into the range; one that fits in no octave is cut to the nearest end."""
    while key < span.low:
        key += 12
    while key > span.high:
        key -= 12
    return max(key, span.low)
