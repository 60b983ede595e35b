"""Pitches in file names, as sample libraries write them."""

import re
from typing import Final

_CLASSES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
# A sharp is written s, # or, where # is not allowed, -; no library writes B or E sharp, so there - is a sign.
_PITCH: Final = re.compile(r"(?:^|[-_ .])(?:([acdfg])(s|#|-)|([a-g])(b)|([a-g]))(-?\d)(?=$|[-_ .]|v\d)", re.IGNORECASE)
_DYNAMICS: Final = {
    "pp": 0.1,
    "pianissimo": 0.1,
    "p": 0.3,
    "piano": 0.3,
    "mp": 0.45,
    "mezzo-piano": 0.45,
    "mf": 0.6,
    "mezzo-forte": 0.6,
    "f": 0.75,
    "forte": 0.75,
    "ff": 0.95,
    "fortissimo": 0.95,
}
_DYNAMIC: Final = re.compile(
    rf"(?:^|[-_ ])({'|'.join(sorted(_DYNAMICS, key=len, reverse=True))})(?=$|[-_ .])", re.IGNORECASE
)


def key_in(stem: str) -> int | None:
    """The MIDI key number that a file's name tells, or nothing; middle C is C4.

    >>> key_in("violin-as4-05-forte"), key_in("D#6v12"), key_in("ff-a-4"), key_in("bb2-p-rr1"), key_in("b-1")
    (70, 87, 70, 46, 11)
    """
    match = _PITCH.search(stem)
    if match is None:
        return None
    sharp, raised, flat, _, natural, octave = match.groups()
    letter = (sharp or flat or natural).lower()
    return _CLASSES[letter] + bool(raised) - bool(flat) + 12 * (int(octave) + 1)


def dynamic_in(stem: str) -> float | None:
    """How loud the file's name says that it was played, from 0 to 1, or nothing.

    >>> dynamic_in("cello-c2-15-mezzo-piano-arco-normal"), dynamic_in("ff-a-4"), dynamic_in("A4")
    (0.45, 0.95, None)
    """
    match = _DYNAMIC.search(stem)
    return None if match is None else _DYNAMICS[match[1].lower()]
