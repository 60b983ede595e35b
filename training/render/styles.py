"""Playing styles: what kinds of instruments make of an excerpt, within their range; and what drums play.

Each takes an excerpt, a range and a random generator, and gives notes; timing and loudness are varied afterwards.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from whoplays.training.render.excerpts import Chord, Excerpt, chords
from whoplays.training.render.scores import KeyRange, Note, fold, monophonic, transposed

Style = Callable[[Excerpt, KeyRange, np.random.Generator], list[Note]]

# Strokes of a bar of eight eighths: D down, U up, . none.
_STRUMS: Final = ("D.D.D.D.", "D.DUD.DU", "D.DU.UDU", "DUDUDUDU", "D...D...", "D..UD.D.", "D.......", "DDDDDDDD")
# Which of the chord's strings, counted from the lowest, each eighth of a picked chord plays.
_PICKS: Final = ((0, 2, 3, 4, 3, 2), (0, 2, 1, 3, 2, 1), (0, 3, 4, 3), (0, 1, 2, 3, 4, 3, 2, 1), (0, 4, 2, 3))

_KICK, _SNARE, _RIM, _CLAP = 36, 38, 37, 39
_CLOSED, _OPEN, _RIDE, _CRASH = 42, 46, 51, 49
_TOMS: Final = (50, 48, 47, 45, 43, 41)
_PERCUSSION: Final = (54, 56, 60, 61, 62, 63, 64, 67, 69, 70, 75, 76)
_DRUM_STEPS: Final = 16

# x struck, o struck softly, . not; four beats of four sixteenths.
_DRUM_PATTERNS: Final[tuple[dict[int, str], ...]] = (
    {_KICK: "x.......x.......", _SNARE: "....x.......x...", _CLOSED: "x.o.x.o.x.o.x.o."},
    {_KICK: "x.....x.x.......", _SNARE: "....x.......x..o", _CLOSED: "x.x.x.x.x.x.x.x."},
    {_KICK: "x...x...x...x...", _CLAP: "....x.......x...", _OPEN: "..x...x...x...x."},
    {_KICK: "x..x..x...x.....", _SNARE: "....x..o.o..x...", _CLOSED: "xoxoxoxoxoxoxoxo"},
    {_KICK: "x.......o.......", _RIM: "...x..x...x..x..", _CLOSED: "x.xxx.xxx.xxx.xx"},
    {_RIDE: "x...x.x.x...x.x.", _CLOSED: "....x.......x...", _KICK: "o.........o....."},
    {_KICK: "x.......x.......", _SNARE: "xooxooxoxooxooxo"},
    {_KICK: "x.x.....x.x.....", _SNARE: "....x.......x...", _RIDE: "x.x.x.x.x.x.x.x."},
)


def line(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """The melody in one voice, by octaves to a random register, legato or detached."""
    notes = monophonic(_placed(excerpt.line, span, rng))
    return _articulated(notes, float(rng.choice((1.02, 0.97, 0.85, 0.6, 0.4), p=(0.35, 0.25, 0.2, 0.12, 0.08))))


def bass(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Roots and fifths below."""
    notes: list[Note] = []
    for chord in chords(excerpt):
        step = excerpt.beat_s / int(rng.choice((1, 1, 2)))
        for start in np.arange(chord.start_s, chord.start_s + chord.length_s - 0.01, step):
            key = chord.root if rng.random() < 0.75 else int(rng.choice(chord.classes))
            notes.append(Note(float(start), step * float(rng.uniform(0.6, 1.0)), _low(key, span)))
    return notes


def block_chords(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Chords struck on the beat, nearly together."""
    base = _register(span, rng, 20)
    notes: list[Note] = []
    for chord in chords(excerpt):
        strikes = int(rng.choice((1, 1, 2)))
        length = chord.length_s / strikes
        for strike in range(strikes):
            start = chord.start_s + strike * length
            notes.extend(
                Note(start + float(rng.uniform(0, 0.012)), length * 0.95, key) for key in _close(chord, base, span)
            )
    return notes


def sustained_chords(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Chords held until the next, tones that stay being tied."""
    base = _register(span, rng, 20)
    held: dict[int, Note] = {}
    notes: list[Note] = []
    for chord in chords(excerpt):
        keys = _close(chord, base, span)
        notes.extend(note for key, note in held.items() if key not in keys)
        held = {
            key: held[key]._replace(length_s=chord.start_s + chord.length_s - held[key].start_s)
            if key in held and held[key].end_s > chord.start_s - 0.05
            else Note(chord.start_s, chord.length_s, key)
            for key in keys
        }
    return sorted([*notes, *held.values()])


def arpeggio(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Broken chords, upwards or up and down, each tone ringing a little."""
    base = _register(span, rng, 24)
    step = excerpt.beat_s / int(rng.choice((2, 3, 4), p=(0.5, 0.2, 0.3)))
    ring = float(rng.uniform(0.9, 3.0))
    wave = rng.random() < 0.5
    notes: list[Note] = []
    for chord in chords(excerpt):
        keys = _close(chord, base, span)
        keys = [*keys, *(key + 12 for key in keys if key + 12 <= span.high)]
        order = [*keys, *keys[-2:0:-1]] if wave else keys
        for index, start in enumerate(np.arange(chord.start_s, chord.start_s + chord.length_s - 0.01, step)):
            notes.append(Note(float(start), step * ring, order[index % len(order)]))
    return notes


def accompaniment(excerpt: Excerpt, span: KeyRange, _: np.random.Generator) -> list[Note]:
    """The score's accompaniment as it stands."""
    return [note._replace(key=fold(note.key, span)) for note in excerpt.accompaniment]


def melody_and_accompaniment(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Both at once, the melody above and a little louder."""
    below = accompaniment(excerpt, span, rng)
    above = monophonic(_placed(excerpt.line, KeyRange(max(span.low, span.high - 30), span.high - 4), rng))
    return sorted([*below, *(note._replace(velocity=min(127, note.velocity + 12)) for note in above)])


def melody_over_chords(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """The melody over held chords."""
    middle = (span.low + span.high) // 2
    below = sustained_chords(excerpt, KeyRange(span.low, middle), rng)
    return sorted([*below, *line(excerpt, KeyRange(middle, span.high), rng)])


def strum(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Guitar chords in a rhythm of down and up strokes, 10 to 40 ms from string to string."""
    pattern = _STRUMS[int(rng.integers(len(_STRUMS)))]
    between_s = float(rng.uniform(0.01, 0.04))
    ring = excerpt.beat_s * (0.2 if rng.random() < 0.2 else 1.0)
    notes: list[Note] = []
    for chord in chords(excerpt):
        strings = _strings(chord, span)
        first = round(chord.start_s / excerpt.beat_s * 2)
        eighths = round(chord.length_s / excerpt.beat_s * 2)
        for eighth in range(eighths):
            start = chord.start_s + eighth * excerpt.beat_s / 2
            length = ring if eighth < eighths - 1 else 0.6 * ring
            notes.extend(_stroke(pattern[(first + eighth) % 8], strings, start, between_s, length))
    return notes


def pick(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Guitar chords picked string by string, ringing until the chord ends."""
    pattern = _PICKS[int(rng.integers(len(_PICKS)))]
    step = excerpt.beat_s / int(rng.choice((1, 2, 2, 4)))
    step = max(step, 0.11)
    notes: list[Note] = []
    for chord in chords(excerpt):
        strings = _strings(chord, span)
        end = chord.start_s + chord.length_s
        for index, start in enumerate(np.arange(chord.start_s, end - 0.01, step)):
            key = strings[pattern[index % len(pattern)] % len(strings)]
            notes.append(Note(float(start), max(step, end - float(start)), key))
    return notes


def power_chords(excerpt: Excerpt, span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """Roots, fifths and octaves in eighths or held, as a distorted guitar plays them."""
    mute = rng.random() < 0.4
    notes: list[Note] = []
    for chord in chords(excerpt):
        root = _low(chord.root, span)
        step = chord.length_s if rng.random() < 0.3 else excerpt.beat_s / 2
        length = step * (0.45 if mute else 0.95)
        for start in np.arange(chord.start_s, chord.start_s + chord.length_s - 0.01, step):
            notes.extend(Note(float(start), length, root + up) for up in (0, 7, 12))
    return notes


def drum_part(seconds: float, rng: np.random.Generator) -> list[Note]:
    """A drum kit, or hand percussion, for so long."""
    sixteenth_s = 60 / float(rng.uniform(70, 170)) / 4
    pattern = _percussion(rng) if rng.random() < 0.25 else _DRUM_PATTERNS[int(rng.integers(len(_DRUM_PATTERNS)))]
    bars = int(np.ceil(seconds / sixteenth_s / _DRUM_STEPS))
    notes = [Note(0.0, 0.3, _CRASH, 100)] if rng.random() < 0.3 else []
    for bar in range(bars):
        fill = rng.random() < 0.25
        start = bar * _DRUM_STEPS * sixteenth_s
        notes.extend(_drum_bar(pattern, start, sixteenth_s, 12 if fill else _DRUM_STEPS))
        if fill:
            notes.extend(_drum_fill(start, sixteenth_s, rng))
    return sorted(note for note in notes if note.start_s < seconds)


def _stroke(stroke: str, strings: list[int], start_s: float, between_s: float, length_s: float) -> list[Note]:
    """Down over all strings; up, softer, over the upper ones."""
    if stroke == ".":
        return []
    upper = strings[:2:-1] or strings[::-1]
    keys, velocity = (strings, 84) if stroke == "D" else (upper, 70)
    return [Note(start_s + index * between_s, length_s, key, velocity) for index, key in enumerate(keys)]


def _placed(notes: list[Note], span: KeyRange, rng: np.random.Generator) -> list[Note]:
    """By octaves to where the middle of the notes is nearest to a random place of the range; strays are folded."""
    if not notes:
        return []
    middle = float(np.median([note.key for note in notes]))
    room = 0.25 * (span.high - span.low)
    target = float(rng.uniform(span.low + room, span.high - room))
    moved = transposed(notes, 12 * round((target - middle) / 12))
    return [note._replace(key=fold(note.key, span)) for note in moved]


def _articulated(notes: list[Note], share: float) -> list[Note]:
    """Each note held for a share of the time to the next; shares over 1 overlap a little, as a slur does."""
    following = [*(note.start_s for note in notes[1:]), notes[-1].end_s] if notes else []
    return [
        note._replace(length_s=max(0.06, min(note.length_s, after - note.start_s) * share))
        for note, after in zip(notes, following, strict=True)
    ]


def _register(span: KeyRange, rng: np.random.Generator, height: int) -> int:
    """A random lowest key that leaves so many keys above it."""
    return int(rng.integers(span.low, max(span.low, span.high - height) + 1))


def _close(chord: Chord, base: int, span: KeyRange) -> list[int]:
    """The chord in close position from the base upwards."""
    return sorted({min(base + (c - base) % 12, span.high) for c in chord.classes})


def _low(pitch_class: int, span: KeyRange) -> int:
    return span.low + (pitch_class - span.low) % 12


def _strings(chord: Chord, span: KeyRange) -> list[int]:
    """Four to six keys as on a guitar: the root low, then chord tones at least three semitones apart."""
    keys = [_low(chord.root, span)]
    for key in range(keys[0] + 3, min(keys[0] + 30, span.high) + 1):
        if key % 12 in chord.classes and key - keys[-1] >= 3 and len(keys) < 6:
            keys.append(key)
    return keys


def _drum_bar(pattern: dict[int, str], start_s: float, sixteenth_s: float, until: int) -> list[Note]:
    return [
        Note(start_s + step * sixteenth_s, sixteenth_s, key, 95 if stroke == "x" else 50)
        for key, strokes in pattern.items()
        for step, stroke in enumerate(strokes[:until])
        if stroke != "."
    ]


def _drum_fill(start_s: float, sixteenth_s: float, rng: np.random.Generator) -> list[Note]:
    keys = sorted(rng.choice((*_TOMS, _SNARE), 4), reverse=True)
    return [Note(start_s + (12 + i) * sixteenth_s, sixteenth_s, int(key), 90) for i, key in enumerate(keys)]


def _percussion(rng: np.random.Generator) -> dict[int, str]:
    keys = rng.choice(_PERCUSSION, int(rng.integers(1, 4)), replace=False)
    return {int(key): "".join(rng.choice(list("x.o."), _DRUM_STEPS, p=(0.3, 0.3, 0.2, 0.2))) for key in keys}
