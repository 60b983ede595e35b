"""Labelled folders: a directory with an `index.csv` (path, labels, group, licence, and what else it has)."""

import csv
from pathlib import Path
from typing import Final

from models.errors import DataError
from models.labels import to_code
from training.clip import Clip

_REQUIRED: Final = ("path", "labels", "group")


class LabelledFolder:
    """Clips listed in `index.csv`, one row each; several labels are separated by `;`.

    A source is the column `source`, else `corpus`, else the folder's name.

    Raises:
        DataError: there is no readable `index.csv` with the columns path, labels and group.
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
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, restval="")
                missing = [column for column in _REQUIRED if column not in (reader.fieldnames or ())]
                if missing:
                    raise DataError(f"{path} lacks the columns {', '.join(missing)}")
                clips = {row["path"]: self._clip(row) for row in reader}
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        return list(clips.values())

    def _clip(self, row: dict[str, str]) -> Clip:
        labels = frozenset(to_code(label) for label in row["labels"].split(";") if label.strip())
        return Clip(
            path=self._folder / row["path"],
            labels=labels,
            group=f"{self.name}/{row['group']}",
            source=row.get("source") or row.get("corpus") or self.name,
            licence=row.get("licence") or "none stated",
            kind=row.get("kind") or "phrase",
        )
