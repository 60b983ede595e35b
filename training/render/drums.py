"""Drum parts: a bar of sixteenths a style, with fills, ghost notes and percussion."""

from typing import Final

import numpy as np

from whoplays.training.render.notes import Note

_KICK, _SNARE, _RIM, _CLAP = 36, 38, 37, 39
_CLOSED, _OPEN, _RIDE, _CRASH = 42, 46, 51, 49
_TOMS: Final = (50, 48, 47, 45, 43, 41)
_PERCUSSION: Final = (54, 56, 60, 61, 62, 63, 64, 67, 69, 70, 75, 76)
_STEPS: Final = 16

# x struck, o struck softly, . not; four beats of four sixteenths.
_STYLES: Final[tuple[dict[int, str], ...]] = (
    {_KICK: "x.......x.......", _SNARE: "....x.......x...", _CLOSED: "x.o.x.o.x.o.x.o."},
    {_KICK: "x.....x.x.......", _SNARE: "....x.......x..o", _CLOSED: "x.x.x.x.x.x.x.x."},
    {_KICK: "x...x...x...x...", _CLAP: "....x.......x...", _OPEN: "..x...x...x...x."},
    {_KICK: "x..x..x...x.....", _SNARE: "....x..o.o..x...", _CLOSED: "xoxoxoxoxoxoxoxo"},
    {_KICK: "x.......o.......", _RIM: "...x..x...x..x..", _CLOSED: "x.xxx.xxx.xxx.xx"},
    {_RIDE: "x...x.x.x...x.x.", _CLOSED: "....x.......x...", _KICK: "o.........o....."},
    {_KICK: "x.......x.......", _SNARE: "xooxooxoxooxooxo"},
    {_KICK: "x.x.....x.x.....", _SNARE: "....x.......x...", _RIDE: "x.x.x.x.x.x.x.x."},
)


def drum_part(seconds: float, rng: np.random.Generator) -> list[Note]:
    """A drum kit, or hand percussion, for so long."""
    sixteenth_s = 60 / float(rng.uniform(70, 170)) / 4
    style = _percussion(rng) if rng.random() < 0.25 else _STYLES[int(rng.integers(len(_STYLES)))]
    bars = int(np.ceil(seconds / sixteenth_s / _STEPS))
    notes = [Note(0.0, 0.3, _CRASH, 100)] if rng.random() < 0.3 else []
    for bar in range(bars):
        fill = rng.random() < 0.25
        start = bar * _STEPS * sixteenth_s
        notes.extend(_bar(style, start, sixteenth_s, 12 if fill else _STEPS))
        if fill:
            notes.extend(_fill(start, sixteenth_s, rng))
    return sorted(note for note in notes if note.start_s < seconds)


def _bar(style: dict[int, str], start_s: float, sixteenth_s: float, until: int) -> list[Note]:
    return [
        Note(start_s + step * sixteenth_s, sixteenth_s, key, 95 if stroke == "x" else 50)
        for key, pattern in style.items()
        for step, stroke in enumerate(pattern[:until])
        if stroke != "."
    ]


def _fill(start_s: float, sixteenth_s: float, rng: np.random.Generator) -> list[Note]:
    keys = sorted(rng.choice((*_TOMS, _SNARE), 4), reverse=True)
    return [Note(start_s + (12 + i) * sixteenth_s, sixteenth_s, int(key), 90) for i, key in enumerate(keys)]


def _percussion(rng: np.random.Generator) -> dict[int, str]:
    keys = rng.choice(_PERCUSSION, int(rng.integers(1, 4)), replace=False)
    return {int(key): "".join(rng.choice(list("x.o."), _STEPS, p=(0.3, 0.3, 0.2, 0.2))) for key in keys}
