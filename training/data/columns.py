"""Tables that people write: CSV files with named columns, as spreadsheets save them."""

import csv
from collections.abc import Sequence
from pathlib import Path

from whoplays.models.errors import DataError


def read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Every row of a CSV file after the line that names its columns, each with its line's number.

    Args:
        columns: what it must have; it may have others.

    Raises:
        DataError: it cannot be read, or lacks columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            _refuse_without(columns, reader.fieldnames or (), path)
            return [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _refuse_without(columns: tuple[str, ...], found: Sequence[str], path: Path) -> None:
    missing = [column for column in columns if column not in found]
    if not missing:
        return
    # Excel puts semicolons between columns where a comma is what numbers are written with.
    other = len(found) == 1 and any(mark in found[0] for mark in ";\t")
    hint = f"; its first line is {found[0]!r}: put commas between columns" if other else ""
    raise DataError(f"{path} lacks the columns {', '.join(missing)}{hint}")
