"""A made corpus: four instruments that sound unlike one another, and noise, in groups that differ in pitch."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from whoplays.models.signal import SAMPLE_RATE_HZ

Sound = NDArray[np.float64]

SECONDS: Final = 4.0
_TIME_S: Final = np.arange(int(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def write_corpus(folder: Path, groups: int = 5, noises: int = 4) -> Path:
    """A labelled folder with one clip in each of so many groups of each instrument, and with noises."""
    rows: list[tuple[str, ...]] = []
    for label, play in INSTRUMENTS.items():
        for group in range(groups):
            name = f"{label}{group}.wav"
            write_sound(folder / name, play(220 * 2 ** (group / 5)))
            rows.append((name, label, f"{label}-{group}", f"player {group}", "CC0-1.0"))
    for group in range(noises):
        name = f"noise{group}.wav"
        write_sound(folder / name, np.random.default_rng(group).normal(0, 0.1, len(_TIME_S)))
        rows.append((name, "", f"noise-{group}", f"player {group}", "CC0-1.0"))
    return write_index(folder, rows)


def write_index(
    folder: Path,
    rows: list[tuple[str, ...]],
    columns: tuple[str, ...] = ("path", "labels", "group", "source", "licence"),
) -> Path:
    """Write `index.csv`, and the folder if there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return folder


def write_sound(path: Path, sound: Sound, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    """Write a sound file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate_hz)
    return path


def write_piped(path: Path, sound: Sound) -> Path:
    """Write a FLAC that does not say how long it is, as those that were piped."""
    content = bytearray(write_sound(path, sound).read_bytes())
    content[21] &= 0xF0  # the count of samples in FLAC's first metadata block: 0 is "unknown"
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def _piano(pitch_hz: float) -> Sound:
    """A pure tone, struck twice a second."""
    return _struck(np.sin(2 * np.pi * pitch_hz * _TIME_S), times_a_second=2)


def _guitar(pitch_hz: float) -> Sound:
    """Many harmonics, plucked six times a second."""
    return _struck(_harmonics(pitch_hz * _TIME_S, 30), times_a_second=6)


def _trumpet(pitch_hz: float) -> Sound:
    """High harmonics, held."""
    return 0.3 * _harmonics(4 * pitch_hz * _TIME_S, 6)


def _violin(pitch_hz: float) -> Sound:
    """Harmonics with a wide vibrato, held."""
    return 0.3 * _harmonics(pitch_hz * _TIME_S + 2 * np.sin(2 * np.pi * 6 * _TIME_S), 12)


def _harmonics(turns: Sound, count: int) -> Sound:
    sound: Sound = sum((np.sin(2 * np.pi * k * turns) / k for k in range(1, count + 1)), np.zeros_like(turns))
    return sound / 2


def _struck(sound: Sound, times_a_second: int) -> Sound:
    return 0.5 * sound * np.exp(-8 * (_TIME_S * times_a_second % 1))


INSTRUMENTS: Final[dict[str, Callable[[float], Sound]]] = {
    "acoustic guitar": _guitar,
    "piano": _piano,
    "trumpet": _trumpet,
    "violin": _violin,
}
