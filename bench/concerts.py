"""Concerts of which it is known who plays when: a folder of recordings with an `index.csv`."""

import csv
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from whoplays.bench.event_scores import Played
from whoplays.models.errors import DataError
from whoplays.models.labels import NAMES, to_code
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ

_COLUMNS: Final = ("path", "labels", "start_s", "end_s")


class Concert(NamedTuple):
    """A recording, and who plays in it."""

    path: Path
    played: tuple[Played, ...]

    def audio(self) -> npt.NDArray[np.float32]:
        """Its samples, `float32 [2, samples]` at 44.1 kHz.

        Raises:
            DataError: it is missing or damaged, at another rate, or not stereo.
        """
        try:
            samples, rate_hz = soundfile.read(self.path, dtype="float32", always_2d=True)
        except (OSError, soundfile.LibsndfileError) as error:
            raise DataError(f"{self.path} cannot be read: {error}") from error
        if (rate_hz, samples.shape[1]) != (SAMPLE_RATE_HZ, CHANNELS):
            raise DataError(f"{self.path} must be stereo at {SAMPLE_RATE_HZ} Hz")
        return np.ascontiguousarray(samples.T)


def read_concerts(folder: Path) -> list[Concert]:
    """The concerts in a folder, as `whoplays concerts` writes them: in `index.csv` a row for each appearance.

    Raises:
        DataError: there is no such index, or a row makes no sense.
    """
    path = folder / "index.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    by_path: dict[str, list[Played]] = {}
    for row in rows:
        by_path.setdefault(row.get("path", ""), []).append(_played(row, path))
    if not by_path:
        raise DataError(f"{path} holds no concerts; make some: whoplays concerts {folder} --data DIR")
    return [Concert(folder / name, tuple(played)) for name, played in sorted(by_path.items())]


def _played(row: dict[str, str], path: Path) -> Played:
    try:
        name, label, start_s, end_s = (row[column] for column in _COLUMNS)
        found = Played(NAMES[to_code(label)], float(start_s), float(end_s))
    except (KeyError, TypeError, ValueError):
        raise DataError(f"{path} needs the columns {', '.join(_COLUMNS)}, one label and two times in a row") from None
    if not found.start_s < found.end_s:
        raise DataError(f"{path}, {name}: {label} ends before it begins")
    return found
