"""The folder of a run's results, which knows of what they are."""

import gzip
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from whoplays.models.errors import DataError
from whoplays.stream.archive.annotation import Annotation
from whoplays.stream.archive.formats import SUFFIXES, Format, render
from whoplays.stream.archive.recordings import Recording, stamp
from whoplays.stream.pipeline.options import Sensitivity

KEPT: Final = Path(".whoplays", "results.db")
"""The database, within the folder, with what is known of each recording."""
LOOKERS: Final = 16
_SCHEMA: Final = """
PRAGMA locking_mode = exclusive;
CREATE TABLE IF NOT EXISTS results
    (name BLOB PRIMARY KEY, key BLOB, formats TEXT, heard INTEGER, failed INTEGER, result BLOB);
BEGIN IMMEDIATE; COMMIT;
"""


class LabelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What decides what a result is."""

    model: str
    """Tells the model, with its thresholds, from all others."""
    hop_s: float
    sensitivity: Sensitivity
    min_probability: float


class FileResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one recording."""

    path: str
    annotation: Annotation | None = None
    """None if nothing of it could be heard."""
    error: str = ""
    """What is wrong with it, in one line; empty if nothing is."""


class Known(NamedTuple):
    """What is known of a recording as it is now."""

    formats: frozenset[str]
    """Of its files."""
    heard: bool
    """Whether anything of it was; else it has no files."""
    failed: bool


class ResultFolder:
    """The results of a run; one process at a time has them. Closed at the end of a `with`.

    Args:
        path: the folder; made if there is none.
        options: what decides what a result is.

    Raises:
        DataError: it cannot be made, or another process has it.
    """

    def __init__(self, path: Path, options: LabelOptions) -> None:
        self.path: Final = path
        self._options: Final = msgspec.json.encode(options)
        try:
            (path / KEPT).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{path} cannot be written: {error.strerror}") from error
        with self._problems():
            self._database: Final = sqlite3.connect(path / KEPT, timeout=1.0, isolation_level=None)
            self._database.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def keys(self, recordings: Iterable[Recording]) -> Iterator[tuple[Recording, bytes]]:
        """Each with what tells it as it is now, and the options, from all others; several are looked at at a time."""
        left = iter(recordings)
        with ThreadPoolExecutor(LOOKERS) as pool:
            while some := list(islice(left, 4 * LOOKERS)):
                yield from (
                    (each, found + self._options) for each, found in zip(some, pool.map(stamp, some), strict=True)
                )

    def known(self, recording: Recording, key: bytes) -> Known | None:
        """What is known of a recording; None if it was another then, or the options were."""
        found = self._row("SELECT key, formats, heard, failed FROM results WHERE name = ?", recording)
        return Known(frozenset(found[1].split()), *map(bool, found[2:])) if found and found[0] == key else None

    def missing(self, recording: Recording, known: Known, formats: Iterable[Format]) -> set[Format]:
        """The formats of which it should have a file, and has none."""
        if not known.heard:
            return set()
        return {form for form in formats if form not in known.formats or not self._file(recording, form).exists()}

    def result(self, recording: Recording) -> FileResult | None:
        """What came of it when it was labelled last, if it was."""
        found = self._row("SELECT result FROM results WHERE name = ?", recording)
        return msgspec.json.decode(found[0], type=FileResult) if found else None

    def keep(
        self, recording: Recording, key: bytes, result: FileResult, formats: Collection[Format], messages: bytes = b""
    ) -> None:
        """Write a recording's files, and keep what came of it: all of that, or nothing is known of it.

        Args:
            recording: what was labelled.
            key: of it and the options.
            result: what came of it.
            formats: of the files to write; none are written if nothing could be heard.
            messages: those of the wire, a line of JSON each, compressed by gzip, for `jsonl`.

        Raises:
            DataError: that cannot be written.
        """
        with self._problems():
            if result.annotation:
                for form in formats:
                    _write(self._file(recording, form), form, result.annotation, messages)
        facts = (" ".join(formats), result.annotation is not None, bool(result.error))
        row = (os.fsencode(recording.name), key, *facts, msgspec.json.encode(result))
        with self._problems():
            self._database.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", row)

    def complete(self, recording: Recording, known: Known, missing: Iterable[Format]) -> None:
        """Write files that are missing, of any format but `jsonl`.

        Raises:
            DataError: they cannot be written.
        """
        result = self.result(recording)
        if result is None or result.annotation is None:
            return
        with self._problems():
            for form in missing:
                _write(self._file(recording, form), form, result.annotation, b"")
            row = (" ".join({*known.formats, *missing}), os.fsencode(recording.name))
            self._database.execute("UPDATE results SET formats = ? WHERE name = ?", row)

    def _file(self, recording: Recording, form: Format) -> Path:
        return self.path / f"{recording.name}{SUFFIXES[form]}"

    def _row(self, query: str, recording: Recording) -> tuple[Any, ...] | None:
        with self._problems(), closing(self._database.execute(query, (os.fsencode(recording.name),))) as found:
            row: tuple[Any, ...] | None = found.fetchone()
        return row

    @contextmanager
    def _problems(self) -> Iterator[None]:
        """Let what goes wrong be one of our errors, of one line.

        Raises:
            DataError: something did.
        """
        try:
            yield
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            problem = "is in use by another whoplays label; wait for its end" if busy else f"cannot be used: {error}"
            raise DataError(f"{self.path} {problem}") from error
        except sqlite3.DatabaseError as error:
            raise DataError(f"{self.path / KEPT} is damaged ({error}); remove it to begin anew") from error
        except OSError as error:
            raise DataError(f"{error.filename or self.path} cannot be written: {error.strerror}") from error


def _write(path: Path, form: Format, annotation: Annotation, messages: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part, part.open("wb") as file:
        if form == "jsonl":
            with gzip.open(BytesIO(messages)) as lines:
                shutil.copyfileobj(lines, file)
        else:
            file.write(render(annotation, form).encode(errors="surrogateescape"))


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` at the end, unless something is raised."""
    part = path.with_name(f"{path.name}.part")
    yield part
    part.replace(path)
