"""Recordings to label, and the folder of the results, which knows of what they are."""

import glob
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import DataError
from whoplays.stream.archive.annotation import Annotation
from whoplays.stream.archive.formats import SUFFIXES, Format, render, spans, to_csv
from whoplays.stream.common.uri import redact
from whoplays.stream.pipeline.options import Sensitivity

KEPT: Final = ".whoplays"
"""The folder, within that of the results, with what is known of each recording."""
STAMP_BYTES: Final = 1 << 20
SUFFIXES_OF_AUDIO: Final = frozenset(
    f".{each}"
    for each in (
        *("wav", "flac", "ogg", "oga", "opus", "mp3", "mp2", "m4a", "aac", "ac3"),
        *("aif", "aiff", "caf", "mp4", "mkv", "mka", "webm", "wma", "wv", "ape"),
    )
)
"""Files that are taken from a folder; a file that is named itself may have any name."""


class LabelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What decides what a result is."""

    model: str
    """Tells the model, with its thresholds, from all others."""
    hop_s: float
    sensitivity: Sensitivity
    min_probability: float
    messages: bool
    """Whether the messages of the wire are kept too."""


class Recording(NamedTuple):
    """A recording to label."""

    path: Path
    name: str
    """What its results are called, relative to their folder."""


class FileResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one recording."""

    path: str
    annotation: Annotation | None = None
    """None if nothing of it could be heard."""
    error: str = ""
    """What is wrong with it, in one line; empty if nothing is."""


def find_recordings(places: Iterable[str]) -> Iterator[Recording]:
    """The recordings that paths stand for: files, folders, patterns such as `*.flac`, and `-` for a list to read.

    Each is found once. What does not exist is found too: that is told when it is labelled. Where several would have one
    name, each is called by its whole path.
    """
    found = {os.path.realpath(recording.path): recording for recording in reversed(list(_found(places)))}
    names = Counter(recording.name for recording in found.values())
    for recording in reversed(found.values()):
        whole = str(Path(*recording.path.absolute().parts[1:]))
        yield recording if names[recording.name] == 1 else recording._replace(name=whole)


def _found(places: Iterable[str]) -> Iterator[Recording]:
    for place in places:
        path = Path(place)
        if place == "-":
            yield from _found(line.rstrip("\n") for line in sys.stdin if line.strip())
        elif path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES_OF_AUDIO)
            yield from (Recording(each, str(each.relative_to(path))) for each in files if each.is_file())
        elif path.exists() or not glob.has_magic(place):
            yield Recording(path, path.name)
        else:
            yield from _found(sorted(glob.glob(place, recursive=True)))  # noqa: PTH207  as it was given, absolute or not


class ResultFolder:
    """The results of a run, which know of what they are.

    Args:
        path: the folder; made if there is none.
        options: what decides what a result is.

    Raises:
        DataError: it cannot be made.
    """

    def __init__(self, path: Path, options: LabelOptions) -> None:
        self.path: Final = path
        self._options: Final = msgspec.json.encode(options)
        self._kept: Final = path / KEPT
        try:
            self._kept.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}") from error

    def key(self, recording: Recording) -> str:
        """Tells a recording as it is now, and the options, from all others."""
        digest = hashlib.blake2b(self._options, digest_size=16)
        digest.update(recording.name.encode(errors="surrogateescape"))
        try:
            with recording.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                digest.update(f"{size} {os.fstat(file.fileno()).st_mtime_ns}".encode())
                for start in (0, max(0, size - STAMP_BYTES)):
                    file.seek(start)
                    digest.update(file.read(STAMP_BYTES))
        except OSError as error:
            digest.update(str(error.errno).encode())
        return digest.hexdigest()

    def messages_file(self, key: str) -> Path:
        """Where the messages of the wire are kept."""
        return self._kept / f"{key}.jsonl"

    def known(self, key: str) -> FileResult | None:
        """What came of it before, if anything did."""
        try:
            return msgspec.json.decode((self._kept / f"{key}.json").read_bytes(), type=FileResult)
        except (OSError, msgspec.DecodeError):
            return None

    def keep(self, key: str, result: FileResult) -> None:
        """Keep what came of a recording, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        _write(self._kept / f"{key}.json", msgspec.json.encode(result).decode())

    def write(self, recording: Recording, key: str, result: FileResult, formats: Iterable[Format]) -> None:
        """Write a recording's files, if they are not there.

        Raises:
            OSError: they cannot be written.
        """
        if result.annotation is None:
            return
        for form in formats:
            path = self.path / f"{recording.name}{SUFFIXES[form]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, self.messages_file(key).read_text() if form == "jsonl" else render(result.annotation, form))

    def combine(self, results: Iterable[FileResult], *, parquet: bool) -> None:
        """Write one table with a row for each event of all recordings, and one with a row for each recording.

        Raises:
            OSError: they cannot be written.
            DataError: a Parquet file is asked for, and pyarrow is not installed.
        """
        kept = list(results)
        rows = [
            (result.path, start_s, end_s, what, "" if probability is None else probability)
            for result in kept
            if result.annotation
            for start_s, end_s, what, probability in spans(result.annotation)
        ]
        header = ("file", "start_s", "end_s", "label", "probability")
        _write(self.path / "events.csv", to_csv(header, rows))
        _write(self.path / "files.csv", to_csv(("file", "duration_s", "plays", "error"), map(_summary, kept)))
        if parquet:
            _write_parquet(self.path / "events.parquet", header, rows)


def _summary(result: FileResult) -> tuple[str, float | str, str, str]:
    shares = result.annotation.shares if result.annotation else {}
    plays = "; ".join(f"{label} {share:.0%}" for label, share in shares.items())
    return result.path, result.annotation.duration_s if result.annotation else "", plays, result.error


def _write(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8", errors="surrogateescape")
    part.replace(path)


def _write_parquet(path: Path, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    try:
        import pyarrow  # noqa: PLC0415  an extra brings it
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DataError("a Parquet file needs pyarrow; install whoplays[parquet]") from error
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    numbers = [[None if cell == "" else cell for cell in column] for column in columns]
    part = path.with_name(f"{path.name}.part")
    parquet.write_table(pyarrow.table(dict(zip(header, numbers, strict=True))), part)
    part.replace(path)


def shown(path: Path) -> str:
    """A path or an address as it is told."""
    return redact(os.fsencode(path).decode(errors="replace"))
