"""Tables of many recordings: a row for each event, and a row for each recording; of any length."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from whoplays.models.errors import DataError
from whoplays.stream.archive.formats import spans
from whoplays.stream.archive.results import FileResult, written_whole

_EVENTS: Final = ("file", "start_s", "end_s", "label", "probability")
_FILES: Final = ("file", "duration_s", "plays", "error")
GROUP_ROWS: Final = 1 << 16
"""Of a Parquet file: so many are held in memory."""

Row = tuple[object, ...]


class _Table(Protocol):
    def writerow(self, row: Row, /) -> object:
        """Write a row."""


def write_tables(folder: Path, results: Iterable[FileResult], *, parquet: bool) -> int:
    """Write `events.csv` with a row for each event of all recordings, and `files.csv` with a row for each recording.

    They are there when all are whole.

    Args:
        folder: where.
        results: read once.
        parquet: write `events.parquet` too.

    Returns:
        How many of the recordings failed.

    Raises:
        DataError: they cannot be written, or a Parquet file is asked for, and pyarrow is not installed.
    """
    failed = 0
    try:
        with ExitStack() as stack:
            events: list[_Table] = [stack.enter_context(_csv(folder / "events.csv", _EVENTS))]
            if parquet:
                events.append(stack.enter_context(_parquet(folder / "events.parquet")))
            files = stack.enter_context(_csv(folder / "files.csv", _FILES))
            for result in results:
                failed += bool(result.error)
                files.writerow(_summary(result))
                for row in _rows(result):
                    for table in events:
                        table.writerow(row)
    except OSError as error:
        raise DataError(f"{error.filename or folder} cannot be written: {error.strerror or error}") from error
    return failed


def import_pyarrow() -> tuple[Any, Any]:
    """What writes Parquet.

    Raises:
        DataError: it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415  an extra brings it
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DataError("a Parquet file needs pyarrow; install whoplays[parquet]") from error
    return pyarrow, parquet


def _rows(result: FileResult) -> Iterator[Row]:
    for span in spans(result.annotation) if result.annotation else ():
        yield (result.path, *span)


def _summary(result: FileResult) -> Row:
    shares = result.annotation.shares if result.annotation else {}
    plays = "; ".join(f"{label} {share:.0%}" for label, share in shares.items())
    return result.path, result.annotation.duration_s if result.annotation else None, plays, result.error


@contextmanager
def _csv(path: Path, header: Row) -> Iterator[_Table]:
    # None is an empty cell.
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        yield writer


@contextmanager
def _parquet(path: Path) -> Iterator[_Table]:
    pyarrow, parquet = import_pyarrow()
    kinds = (pyarrow.string(), pyarrow.float64(), pyarrow.float64(), pyarrow.string(), pyarrow.float64())
    schema = pyarrow.schema(list(zip(_EVENTS, kinds, strict=True)))
    with written_whole(path) as part, parquet.ParquetWriter(part, schema) as writer:
        table = _RowGroups(writer, lambda rows: pyarrow.table(list(zip(*rows, strict=True)), schema=schema))
        yield table
        table.flush()


class _RowGroups:
    """Gathers rows, and writes so many at a time."""

    def __init__(self, writer: Any, make_table: Any) -> None:
        self._writer: Final = writer
        self._make_table: Final = make_table
        self._rows: Final[list[Row]] = []

    def writerow(self, row: Row, /) -> None:
        self._rows.append(row)
        if len(self._rows) == GROUP_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._make_table(self._rows))
            self._rows.clear()
