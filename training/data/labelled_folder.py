"""Labelled folders: a directory with an `index.csv` (path, labels, group, licence, and what else it has)."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from whoplays.models.errors import DataError
from whoplays.models.labels import NAMES, to_name
from whoplays.training.data.clip import Clip, Segment

_REQUIRED: Final = ("path", "labels", "group")


class LabelledFolder:
    """Clips listed in `index.csv`; several labels are separated by `;`. All rows of a file make one clip.

    Where `labels` is empty, the column `instrument` names what plays, if it is an instrument of the vocabulary. A
    source is the column `source`, else `corpus`, else the folder's name. Rows with `start_s` and `end_s` say what is
    played from one to the other.

    Raises:
        DataError: there is no readable `index.csv` with the columns path, labels and group, a label or a time in it is
            none, or rows of one file contradict one another.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.resolve().name

    def clips(self) -> list[Clip]:
        """One clip for every file, in the order of their first rows."""
        path = self._folder / "index.csv"
        clips: dict[Path, tuple[int, Clip]] = {}
        for line, row in read_rows(path, _REQUIRED):
            clip = self._clip(row)
            if clip.path in clips:
                first, earlier = clips[clip.path]
                _refuse_different(earlier, clip, f"{path}, {row['path']}, lines {first} and {line}")
                clips[clip.path] = first, _joined(earlier, clip)
            else:
                clips[clip.path] = line, clip
        return [clip for _, clip in clips.values()]

    def _clip(self, row: dict[str, str]) -> Clip:
        labels = self._labels(row)
        segment = self._segment(row, labels)
        return Clip(
            path=self._folder / row["path"],
            labels=labels,
            group=f"{self.name}/{row['group']}",
            source=row.get("source") or row.get("corpus") or self.name,
            licence=row.get("licence") or "none stated",
            kind=row.get("kind") or "phrase",
            timeline=(segment,) if segment else (),
        )

    def _labels(self, row: dict[str, str]) -> frozenset[str]:
        try:
            labels = frozenset(to_name(label) for label in row["labels"].split(";") if label.strip())
        except DataError as error:
            raise DataError(f"{self._folder / 'index.csv'}, {row['path']}: {error}") from error
        named = " ".join((row.get("instrument") or "").lower().split())
        return labels or frozenset({named} & set(NAMES))

    def _segment(self, row: dict[str, str], labels: frozenset[str]) -> Segment | None:
        """When the row's labels play; None where it gives no times."""
        times = row.get("start_s") or "", row.get("end_s") or ""
        if times == ("", ""):
            return None
        try:
            start_s, end_s = map(float, times)
        except ValueError:
            start_s = end_s = math.nan
        if not 0 <= start_s < end_s < math.inf:
            where = f"{self._folder / 'index.csv'}, {row['path']}"
            raise DataError(
                f"{where}: start_s and end_s must be seconds, the second larger, not {' and '.join(times)!r}"
            )
        return Segment(start_s=start_s, end_s=end_s, labels=labels)


def _refuse_different(earlier: Clip, clip: Clip, where: str) -> None:
    """See that two rows can be of one recording: it is in one group, and of what plays times are known or not."""
    for name in ("group", "source", "kind", "licence"):
        if getattr(earlier, name) != getattr(clip, name):
            raise DataError(f"{where}: one file has one {name}; correct one of the rows, or take it out")
    if bool(earlier.timeline) != bool(clip.timeline):
        raise DataError(f"{where}: only one has start_s and end_s; give them in all rows of a file, or in none")


def _joined(earlier: Clip, clip: Clip) -> Clip:
    """Two rows of one file: what plays in either."""
    timeline = (*earlier.timeline, *clip.timeline)
    return msgspec.structs.replace(earlier, labels=earlier.labels | clip.labels, timeline=timeline)


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
