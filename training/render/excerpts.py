"""Excerpts: a few seconds of a song, at another tempo and in another key."""

from bisect import bisect_left
from typing import Final, NamedTuple

import numpy as np

from whoplays.training.render.scores import Note, Song, transposed

_TRIES: Final = 12
_LEAST_SOUNDING: Final = 0.55


class Excerpt(NamedTuple):
    """A few seconds of a song; notes may begin up to its end and sound past it."""

    line: list[Note]
    """One voice."""
    accompaniment: list[Note]
    """In chords; never empty."""
    beat_s: float
    seconds: float


class Chord(NamedTuple):
    """What the accompaniment plays from one time to another."""

    start_s: float
    length_s: float
    root: int
    """Pitch class, 0 is C."""
    classes: tuple[int, ...]
    """Its two to four pitch classes, the root first, then upwards."""


def draw_excerpt(songs: list[Song], seconds: float, rng: np.random.Generator) -> Excerpt:
    """A random excerpt with a line and an accompaniment: tempo within 20 %, key within 6 semitones.

    Songs without an accompaniment get the line an octave lower instead. Of a dozen tries the one whose line sounds
    longest is taken, unless one sounds for more than half of the time.
    """
    best: tuple[float, Excerpt] | None = None
    for _ in range(_TRIES):
        song = songs[int(rng.integers(len(songs)))]
        excerpt = _cut(song, seconds, float(rng.uniform(0.8, 1.2)), int(rng.integers(-6, 7)), rng)
        sounding = sum(note.length_s for note in excerpt.line) / seconds
        if sounding > _LEAST_SOUNDING:
            return excerpt
        if best is None or sounding > best[0]:
            best = (sounding, excerpt)
    assert best is not None  # noqa: S101  the loop ran
    return best[1]


def chords(excerpt: Excerpt) -> list[Chord]:
    """The harmony beat by beat: two beats each unless it changes sooner."""
    found: list[Chord] = []
    beats = max(1, int(np.ceil(excerpt.seconds / excerpt.beat_s)))
    for beat in range(beats):
        start = beat * excerpt.beat_s
        chord = _chord(excerpt.accompaniment, start, excerpt.beat_s)
        if chord is None:
            continue
        if found and found[-1].classes == chord.classes and found[-1].length_s < 1.5 * excerpt.beat_s:
            found[-1] = found[-1]._replace(length_s=start + excerpt.beat_s - found[-1].start_s)
        else:
            found.append(chord)
    return found


def _cut(song: Song, seconds: float, tempo: float, keys: int, rng: np.random.Generator) -> Excerpt:
    line = song.lines[int(rng.integers(len(song.lines)))]
    first = line[int(rng.integers(len(line)))].start_s
    until = first + seconds * tempo
    accompaniment = _between(song.accompaniment, first, until) or transposed(_between(line, first, until), -12)
    return Excerpt(
        line=_moved(_between(line, first, until), first, tempo, keys),
        accompaniment=_moved(accompaniment, first, tempo, keys),
        beat_s=min(max(song.beat_s / tempo, 0.25), 1.2),
        seconds=seconds,
    )


def _between(notes: tuple[Note, ...], start_s: float, end_s: float) -> list[Note]:
    begin = bisect_left(notes, (start_s - 1e-9,))
    return list(notes[begin : bisect_left(notes, (end_s,))])


def _moved(notes: list[Note], first_s: float, tempo: float, keys: int) -> list[Note]:
    return [
        Note((note.start_s - first_s) / tempo, note.length_s / tempo, note.key + keys, note.velocity) for note in notes
    ]


def _chord(notes: list[Note], start_s: float, length_s: float) -> Chord | None:
    weights = np.zeros(12)
    lowest = None
    for note in notes:
        sounding_s = min(note.end_s, start_s + 2 * length_s) - max(note.start_s, start_s - 0.05)
        if sounding_s <= 0.02:
            continue
        weights[note.key % 12] += sounding_s
        lowest = note.key if lowest is None else min(lowest, note.key)
    if lowest is None:
        return None
    root = lowest % 12
    others = [int(c) for c in np.argsort(-weights, kind="stable") if weights[c] > 0 and c != root][:3]
    return Chord(start_s, length_s, root, (root, *sorted(others, key=lambda c: (c - root) % 12)))
