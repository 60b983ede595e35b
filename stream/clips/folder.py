"""A folder of clips and its `index.csv`, which `whoplays train` reads, kept within an age and a size."""

import csv
import io
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import soundfile

from whoplays.models.errors import DataError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.common.paths import check_regular, slug
from whoplays.stream.history.retention import DAY_NS, AgeLimit, SizeLimit, SteadyClock

INDEX: Final = "index.csv"
_TEXT: Final[Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
"""Whatever somebody has written into it stays as it is."""
PART: Final = ".part"
"""The end of the name of a clip that is not whole yet."""
COLUMNS: Final = (
    "path",
    "labels",
    "start_s",
    "end_s",
    "group",
    "source",
    "licence",
    "stream",
    "session",
    "first_sample",
)


class ClipLabel(NamedTuple):
    """What plays in a clip, from when to when in seconds."""

    labels: str
    start_s: float
    end_s: float


class ClipFile:
    """A clip that is being written: 16-bit FLAC, stereo at 44.1 kHz; it has its name once it is whole.

    Raises:
        OSError, soundfile.LibsndfileError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._part: Final = path.with_name(path.name + PART)
        self._file: Final = soundfile.SoundFile(
            self._part, "w", SAMPLE_RATE_HZ, CHANNELS, subtype="PCM_16", format="FLAC"
        )

    def write(self, audio: Audio) -> None:
        """Append `[2, n]` float32 in [-1, 1]."""
        self._file.write(audio.T)

    def finish(self) -> None:
        """Let it have its name."""
        self._file.close()
        self._part.rename(self.path)

    def discard(self) -> None:
        """Leave nothing of it."""
        self._file.close()
        self._part.unlink(missing_ok=True)


class ClipFolder:
    """Clips by stream, time and label.

    Args:
        path: the folder; made if there is none.
        max_age_days: what is older is deleted; None keeps it.
        max_mb: the oldest are deleted when all of them are larger; None lets them grow.

    Raises:
        DataError: the folder cannot be made or written, or has an `index.csv` of another kind.
    """

    def __init__(self, path: Path, max_age_days: AgeLimit | None, max_mb: SizeLimit | None) -> None:
        self.path: Final = path
        self._index: Final = path / INDEX
        self._clock: Final = SteadyClock()
        self._max_age_ns: Final = math.inf if max_age_days is None else max_age_days * DAY_NS
        self._max_bytes: Final = math.inf if max_mb is None else max_mb * 1e6
        try:
            path.mkdir(parents=True, exist_ok=True)
            for part in path.glob(f"*.flac{PART}"):
                part.unlink()
            if self._index.exists():
                check_regular(self._index)
            self._append(())
            with self._index.open(**_TEXT) as file:
                if file.readline().rstrip("\r\n") != _line(COLUMNS).rstrip("\n"):
                    raise DataError(f"{self._index} is not an index of clips; give another folder")
        except OSError as error:
            raise DataError(f"clips cannot be kept in {path}: {error.strerror}") from error
        except ValueError as error:
            raise DataError(f"{self._index} is not an index of clips ({error}); give another folder") from error

    def create(self, stream: str, at_ns: int, label: str) -> ClipFile:
        """Begin a clip of what begins at a wall time.

        Raises:
            OSError, soundfile.LibsndfileError: it cannot be written.
        """
        at = datetime.fromtimestamp(at_ns // 1_000_000 / 1000, UTC)
        time = at.strftime("%Y%m%dT%H%M%S") + f".{at.microsecond // 1000:03d}Z"
        return ClipFile(self.path / f"{stream}_{time}_{slug(label)}.flac")

    def add(self, clip: ClipFile, labels: Iterable[ClipLabel], stream: str, session: str, first_sample: int) -> None:
        """Finish a clip, and write what plays in it into the index: a row for each label.

        Raises:
            OSError: it cannot be written.
        """
        clip.finish()
        rows = (
            (clip.path.name, *label, f"{stream}-{session}", "whoplays", "", stream, session, first_sample)
            for label in labels
        )
        self._append(rows)

    def _append(self, rows: Iterable[Iterable[object]]) -> None:
        with self._index.open("a", **_TEXT) as file:
            # It is new, or somebody has taken it away.
            if not file.tell():
                file.write(_line(COLUMNS))
            file.write("".join(map(_line, rows)))

    def prune(self) -> None:
        """Delete what is too old or too much, the oldest first, and its rows.

        Raises:
            OSError: it cannot be done.
        """
        files = (path for path in self.path.glob("*.flac") if path.is_file())
        found = sorted((path.stat().st_mtime_ns, path.stat().st_size, path) for path in files)
        size, now_ns = sum(bytes_ for _, bytes_, _ in found), self._clock.now_ns()
        removed = set()
        for written_ns, bytes_, path in found:
            if size <= self._max_bytes and now_ns - written_ns <= self._max_age_ns:
                break
            path.unlink()
            size -= bytes_
            removed.add(path.name)
        if removed:
            self._drop_rows(removed)

    def _drop_rows(self, removed: set[str]) -> None:
        with self._index.open(**_TEXT) as file:
            try:
                kept = [row for row in csv.reader(file) if row and row[0] not in removed]
            except csv.Error as error:
                raise OSError(f"{self._index.name} is no table any more: {error}") from error
        fresh = self._index.with_suffix(PART)
        with fresh.open("w", **_TEXT) as file:
            file.write("".join(map(_line, kept)))
        fresh.replace(self._index)


def _line(row: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()
