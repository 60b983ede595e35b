"""Labelled folders: a directory with an `index.csv` (path, labels, group, licence, and what else it has)."""

import csv
import math
from pathlib import Path
from typing import Final

import msgspec

from models.errors import DataError
from models.labels import to_code
from training.clip import Clip, Stretch

_REQUIRED: Final = ("path", "labels", "group")


class LabelledFolder:
    """Clips listed in `index.csv`, one row each; several labels are separated by `;`.

    A source is the column `source`, else `corpus`, else the folder's name. Rows with `start_s` and `end_s` say what is
    heard from one to the other; all such rows of a file make one clip.

    Raises:
        DataError: there is no readable `index.csv` with the columns path, labels and group, or a label or a time
            in it is none.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The folder's name."""
        return self._folder.resolve().name

    def clips(self) -> list[Clip]:
        """One clip for every row; a file listed twice is taken once."""
        path = self._folder / "index.csv"
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, restval="")
                missing = [column for column in _REQUIRED if column not in (reader.fieldnames or ())]
                if missing:
                    raise DataError(f"{path} lacks the columns {', '.join(missing)}")
                clips: dict[str, Clip] = {}
                for row in reader:
                    clips[row["path"]] = _joined(clips.get(row["path"]), self._clip(row))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        return list(clips.values())

    def _clip(self, row: dict[str, str]) -> Clip:
        labels = self._labels(row)
        stretch = self._stretch(row, labels)
        return Clip(
            path=self._folder / row["path"],
            labels=labels,
            group=f"{self.name}/{row['group']}",
            source=row.get("source") or row.get("corpus") or self.name,
            licence=row.get("licence") or "none stated",
            kind=row.get("kind") or "phrase",
            timeline=(stretch,) if stretch else (),
        )

    def _labels(self, row: dict[str, str]) -> frozenset[str]:
        try:
            return frozenset(to_code(label) for label in row["labels"].split(";") if label.strip())
        except DataError as error:
            raise DataError(f"{self._folder / 'index.csv'}, {row['path']}: {error}") from error

    def _stretch(self, row: dict[str, str], labels: frozenset[str]) -> Stretch | None:
        """When the row's labels are heard; None where it gives no times."""
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
        return Stretch(start_s=start_s, end_s=end_s, labels=labels)


def _joined(earlier: Clip | None, clip: Clip) -> Clip:
    """Two rows of one file: with times they are added up, without the later one counts."""
    if earlier is None or not (earlier.timeline and clip.timeline):
        return clip
    timeline = (*earlier.timeline, *clip.timeline)
    return msgspec.structs.replace(earlier, labels=earlier.labels | clip.labels, timeline=timeline)
