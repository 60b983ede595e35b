"""Sample libraries: folders of single notes, whose file names give their pitches."""

import re
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.models.errors import DataError, SourceError
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.training.data.labelled_folder import read_rows
from whoplays.training.data.library import decode
from whoplays.training.render.instruments import BY_NAME, Instrument
from whoplays.training.render.scores import KeyRange

_COLUMNS: Final = ("name", "folder", "instrument", "licence")
_SUFFIXES: Final = {".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff"}
_LONGEST_S: Final = 9.0
FURTHEST_KEYS: Final = 3
"""How many semitones a sample is played away from its own pitch, at most."""
_LEAST_SPAN: Final = 12
_PEAK: Final = 0.5
_PITCH_CLASSES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
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


class SampleLibrary(NamedTuple):
    """A folder of single notes of one instrument."""

    name: str
    folder: Path
    instrument: Instrument
    licence: str
    group: str
    """What must stay in one split: its name, unless other libraries record the same instrument."""
    pattern: str = "*"
    """Which of its files."""
    octaves: int = 0
    """By how many octaves it sounds higher than its names say."""

    def files(self) -> list[tuple[Path, int]]:
        """Its files whose names give a pitch, with the key numbers, in a stable order."""
        paths = (path for path in sorted(self.folder.glob(self.pattern)) if path.suffix.lower() in _SUFFIXES)
        keys = [(path, key_in(path.stem)) for path in paths]
        return [(path, key + 12 * self.octaves) for path, key in keys if key is not None]

    def span(self) -> KeyRange:
        """What it can play of its instrument's range, with three semitones beyond its lowest and highest note.

        Raises:
            DataError: no file's name gives a pitch of that range.
        """
        keys = [key for _, key in self.files()]
        if not keys:
            raise DataError(f"{self.folder} holds no {self.pattern!r} whose name gives a pitch")
        whole = self.instrument.span
        span = KeyRange(max(min(keys) - FURTHEST_KEYS, whole.low), min(max(keys) + FURTHEST_KEYS, whole.high))
        if span.high - span.low < _LEAST_SPAN:
            low, high = min(keys), max(keys)
            raise DataError(f"{self.folder} holds notes {low} to {high}, too few of a {self.instrument.name}'s")
        return span


class Sample(NamedTuple):
    """One note."""

    key: int
    dynamic: float
    """0 (softest) to 1 (loudest)."""
    audio: NDArray[np.float32]
    """`float32 [samples]` at 44.1 kHz, from its attack on, at a common peak."""


class LoadedSamples:
    """A library's notes, decoded; files that are damaged or silent are left out.

    Raises:
        DataError: none is left.
    """

    def __init__(self, library: SampleLibrary) -> None:
        self._by_key: dict[int, list[Sample]] = {}
        for path, key in library.files():
            audio = _read(path)
            if audio is not None:
                self._by_key.setdefault(key, []).append(Sample(key, dynamic_in(path.stem) or 0.6, audio))
        if not self._by_key:
            raise DataError(f"{library.folder} holds no note that can be read")

    def nearest(self, key: int, length_s: float, velocity: int, rng: np.random.Generator) -> Sample | None:
        """A sample near the key, long enough and about as loud; nothing if none is within three semitones."""
        distance = min(abs(key - other) for other in self._by_key)
        if distance > FURTHEST_KEYS:
            return None
        found = [s for other in (key - distance, key + distance) for s in self._by_key.get(other, ())]
        wanted = min(length_s, 1.5)
        costs = [
            3 * max(0.0, wanted - sample.audio.size / SAMPLE_RATE_HZ)
            + abs(sample.dynamic - velocity / 127)
            + 0.15 * float(rng.random())
            for sample in found
        ]
        return found[int(np.argmin(costs))]


def read_libraries(path: Path) -> list[SampleLibrary]:
    """Read a list of libraries: a CSV of name, folder, instrument, licence, and if needed pattern and octaves.

    Raises:
        DataError: it cannot be read, or says something of no use.
    """
    return [_library(path, row) for _, row in read_rows(path, _COLUMNS)]


def _library(path: Path, row: dict[str, str]) -> SampleLibrary:
    folder = path.parent / row["folder"]
    if row["instrument"] not in BY_NAME:
        raise DataError(f"{path}: unknown instrument {row['instrument']!r}; known are: {', '.join(BY_NAME)}")
    if not folder.is_dir():
        raise DataError(f"{path}: {folder} is not a folder")
    try:
        octaves = int(row.get("octaves") or 0)
    except ValueError as error:
        raise DataError(f"{path}: octaves must be a whole number, not {row['octaves']!r}") from error
    return SampleLibrary(
        name=row["name"],
        folder=folder,
        instrument=BY_NAME[row["instrument"]],
        licence=row["licence"],
        pattern=_pattern(path, row, folder),
        octaves=octaves,
        group=row.get("group") or row["name"],
    )


def _pattern(path: Path, row: dict[str, str], folder: Path) -> str:
    pattern = row.get("pattern") or "*"
    try:
        next(folder.glob(pattern), None)
    except (IndexError, NotImplementedError, ValueError) as error:
        wanted = f"pattern must be one of files below {folder}, such as *.wav, not {pattern!r}"
        raise DataError(f"{path}, {row['name']}: {wanted}") from error
    return pattern


def _read(path: Path) -> NDArray[np.float32] | None:
    """A file as mono from its attack on; nothing if it is damaged or silent."""
    try:
        audio = decode(path).mean(axis=0, dtype=np.float32)
    except SourceError:
        return None
    peak = float(np.abs(audio).max(initial=0.0))
    if peak < 1:
        return None
    attack = int(np.argmax(np.abs(audio) > 0.02 * peak))
    start = max(0, attack - round(0.005 * SAMPLE_RATE_HZ))
    cut: NDArray[np.float32] = audio[start : start + round(_LONGEST_S * SAMPLE_RATE_HZ)] * np.float32(_PEAK / peak)
    return cut


def key_in(stem: str) -> int | None:
    """The MIDI key number that a file's name gives, or None; middle C is C4.

    >>> key_in("violin-as4-05-forte"), key_in("D#6v12"), key_in("ff-a-4"), key_in("bb2-p-rr1"), key_in("b-1")
    (70, 87, 70, 46, 11)
    """
    match = _PITCH.search(stem)
    if match is None:
        return None
    sharp, raised, flat, _, natural, octave = match.groups()
    letter = (sharp or flat or natural).lower()
    return _PITCH_CLASSES[letter] + bool(raised) - bool(flat) + 12 * (int(octave) + 1)


def dynamic_in(stem: str) -> float | None:
    """How loud the file's name says that it was played, from 0 to 1, or nothing.

    >>> dynamic_in("cello-c2-15-mezzo-piano-arco-normal"), dynamic_in("ff-a-4"), dynamic_in("A4")
    (0.45, 0.95, None)
    """
    match = _DYNAMIC.search(stem)
    return None if match is None else _DYNAMICS[match[1].lower()]
