"""Simulated concerts of held-out recordings: instruments enter and leave, and it is known when.

A concert is a row of pieces with interludes between them. In a piece one to three instruments play, each entering and
leaving at times of its own; in an interlude there is another sound, or silence.
"""

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from whoplays.models.errors import DataError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import by_label, solos
from whoplays.training.files import atomic_write

Audio = NDArray[np.float32]
"""`float32 [2, samples]` in [-1, 1]."""

_PIECE_S: Final = (25.0, 45.0)
_INTERLUDE_S: Final = (4.0, 8.0)
_SHORTEST_S: Final = 6.0
"""Of one instrument's playing: twice a window."""
_LEVEL_DBFS: Final = -26.0
_LEVEL_DB: Final = 6.0
_FADE_SAMPLES: Final = SAMPLE_RATE_HZ // 50
_FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // 20
_QUIET: Final = 10 ** (-40 / 20)
_LOUDEST: Final = 0.9
_COLUMNS: Final = ("path", "labels", "group", "source", "licence", "start_s", "end_s")
_NAME: Final = re.compile(r"concert\d+\.flac")


class Appearance(NamedTuple):
    """One instrument's playing from one time to another."""

    label: str
    start_s: float
    end_s: float


class Concert(NamedTuple):
    """The audio, and which instruments play when."""

    audio: Audio
    parts: tuple[Appearance, ...]


class Simulator:
    """Makes concerts of recordings.

    Args:
        clips: solos of `labels`, and other sounds; all else is left out.

    Raises:
        DataError: there is no solo, or no other sound.
    """

    def __init__(self, library: Library, clips: list[Clip], labels: tuple[str, ...]) -> None:
        self._library: Final = library
        self._solos: Final = by_label(solos(clips, labels))
        self._others: Final = [clip for clip in clips if not clip.labels]
        if not self._solos or not self._others:
            raise DataError("a concert needs recordings of single instruments and of other sounds")

    def concert(self, length_s: float, rng: np.random.Generator) -> Concert:
        """A concert of about this length: the piece or interlude in which it would end is its last."""
        pieces: list[Audio] = []
        parts: list[Appearance] = []
        played = 0
        while played < length_s * SAMPLE_RATE_HZ:
            audio, own = self._piece(rng) if len(pieces) % 2 else (self._interlude(rng), [])
            begins_s = played / SAMPLE_RATE_HZ
            parts += [Appearance(part.label, begins_s + part.start_s, begins_s + part.end_s) for part in own]
            pieces.append(audio)
            played += audio.shape[1]
        audio = np.concatenate(pieces, axis=1)
        audio *= np.float32(min(1.0, _LOUDEST / max(float(np.abs(audio).max()), 1e-9)))
        return Concert(audio, tuple(sorted(parts, key=lambda part: (part.start_s, part.label))))

    def _piece(self, rng: np.random.Generator) -> tuple[Audio, list[Appearance]]:
        samples = _samples(rng.uniform(*_PIECE_S))
        mixed = np.zeros((CHANNELS, samples), np.float32)
        count = min(int(rng.integers(1, 4)), len(self._solos))
        parts = []
        for label in rng.choice(sorted(self._solos), size=count, replace=False):
            length = int(rng.integers(_samples(_SHORTEST_S), samples + 1))
            start = int(rng.integers(samples - length + 1))
            mixed[:, start : start + length] += self._playing(self._solos[str(label)], length, rng)
            parts.append(Appearance(str(label), start / SAMPLE_RATE_HZ, (start + length) / SAMPLE_RATE_HZ))
        return mixed, parts

    def _interlude(self, rng: np.random.Generator) -> Audio:
        samples = _samples(rng.uniform(*_INTERLUDE_S))
        if rng.random() < 0.5:
            return np.zeros((CHANNELS, samples), np.float32)
        return self._playing(self._others, samples, rng)

    def _playing(self, clips: list[Clip], samples: int, rng: np.random.Generator) -> Audio:
        """So many samples of one recording, from any place in it and again from its beginning, at a level of its own.

        Each source is as likely as any other.
        """
        source = str(rng.choice(sorted({clip.source for clip in clips})))
        members = [clip for clip in clips if clip.source == source]
        sound = sounding(self._library.active_audio(members[int(rng.integers(len(members)))]))
        first = int(rng.integers(sound.shape[1]))
        audio = np.take(sound, np.arange(first, first + samples), axis=1, mode="wrap")
        wanted = 10 ** ((_LEVEL_DBFS + rng.uniform(-_LEVEL_DB, _LEVEL_DB)) / 20)
        audio = audio * np.float32(wanted / max(float(np.sqrt(np.square(audio).mean())), 1e-9))
        fade = min(_FADE_SAMPLES, samples)
        audio[:, :fade] *= np.linspace(0, 1, fade, dtype=np.float32)
        audio[:, samples - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        return audio


def refuse_other_index(index: Path) -> None:
    """Refuse to write over an index unless it is of concerts: what somebody wrote by hand is not made again.

    Raises:
        DataError: it lists anything else.
    """
    if not index.is_file():
        return
    try:
        names = [row.partition(",")[0] for row in index.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{index} cannot be read: {error}") from error
    if not all(name == _COLUMNS[0] or _NAME.fullmatch(name) for name in names):
        raise DataError(f"{index} lists other recordings than concerts; choose another folder for them")


def write_concerts(folder: Path, concerts: Iterable[Concert], licence: str) -> None:
    """Write concerts as `concert01.flac` and so on, and an `index.csv` with a row for each appearance.

    Raises:
        DataError: they cannot be written.
    """
    source = folder.resolve().name
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for number, made in enumerate(concerts, 1):
        name = f"concert{number:02d}.flac"
        with atomic_write(folder / name) as unfinished:
            soundfile.write(unfinished, made.audio.T, SAMPLE_RATE_HZ)
        rows += [
            (name, part.label, f"{source}-{name}", source, licence, f"{part.start_s:.3f}", f"{part.end_s:.3f}")
            for part in made.parts
        ]
    with atomic_write(folder / "index.csv") as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def sounding(audio: NDArray[np.int16]) -> Audio:
    """A recording without the silence before and after: frames of 50 ms that are 40 dB below its loudest one.

    `int16 [1 or 2, samples]` -> `float32 [2, samples]` in [-1, 1].
    """
    sound = np.broadcast_to(audio, (CHANNELS, audio.shape[1])).astype(np.float32) / np.float32(32767)
    frames = sound.shape[1] // _FRAME_SAMPLES
    if frames < 3:
        return sound
    power = np.square(sound[:, : frames * _FRAME_SAMPLES]).reshape(CHANNELS, frames, -1).mean(axis=(0, 2))
    loud = np.flatnonzero(power > power.max() * _QUIET**2)
    return sound[:, loud[0] * _FRAME_SAMPLES : (loud[-1] + 1) * _FRAME_SAMPLES]


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
