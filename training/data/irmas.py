"""IRMAS as its users download it: training folders by instrument, test parts with `.txt` labels.

Source: Bosch, Janer, Fuhrmann, Herrera (ISMIR 2012). For non-commercial use; never redistributed.
"""

import re
from pathlib import Path
from typing import Final

from whoplays.models.errors import DataError
from whoplays.models.labels import IRMAS
from whoplays.training.data.clip import Clip

_LICENCE: Final = "CC BY-NC-SA 3.0 (IRMAS)"
TRAINING: Final = "IRMAS-TrainingData"
IRMAS_TEST_PART: Final = "IRMAS-TestingData-Part"
# "[gac][pop_roc]0571__1.wav", "008__[cel][nod][cla]0058__1.wav": the digits before "__" number the recording.
_NUMBER: Final = re.compile(r"\](\d+)__\d+$")


class Irmas:
    """The training clips (single labels, as the folder says): `IRMAS-TrainingData/<code>/<name>.wav`.

    Raises:
        DataError: the folder is not IRMAS.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clips(self) -> list[Clip]:
        """One clip for every training file; all excerpts of one recording share a group."""
        paths = [path for code in IRMAS for path in sorted((self._folder / TRAINING / code).glob("*.wav"))]
        if not paths:
            raise DataError(f"{self._folder} has no {TRAINING}/<code>/*.wav; give the folder that holds {TRAINING}")
        return [
            Clip(
                path=path,
                labels=frozenset([IRMAS[path.parent.name]]),
                group=f"IRMAS/{recording_number(path)}",
                source="IRMAS",
                licence=_LICENCE,
            )
            for path in paths
        ]


class IrmasTest:
    """One test part (several labels an excerpt): `IRMAS-TestingData-Part1/**/<name>.wav` beside `<name>.txt`.

    Raises:
        DataError: the part holds no recording.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clips(self) -> list[Clip]:
        """One clip for every excerpt; those of one song share a group."""
        paths = sorted(self._folder.glob("**/*.wav"))
        if not paths:
            raise DataError(f"{self._folder} holds no recordings")
        return [self._clip(path) for path in paths]

    def _clip(self, path: Path) -> Clip:
        """An excerpt; without readable labels it stands for its `.txt`, so that this is what is named as unreadable."""
        written = path.with_suffix(".txt")
        labels = _written_labels(written)
        return Clip(
            path=path if labels else written,
            labels=labels,
            group=f"IRMAS test/{path.stem.rpartition('-')[0] or path.stem}",
            source=self._folder.name,
            licence=_LICENCE,
        )


def recording_number(path: Path) -> str:
    """The number of the recording an excerpt was cut from; the whole name where it has none.

    Two naming schemes occur, `[gac][pop_roc]0571__1` and `008__[cel][nod][cla]0058__1`; both give the digits
    before the last `__`.
    """
    found = _NUMBER.search(path.stem)
    return found.group(1) if found else path.stem


def _written_labels(path: Path) -> frozenset[str]:
    """The labels in a `.txt`, one a line; none where the file is missing or names anything else."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(IRMAS[word] for word in words) if all(word in IRMAS for word in words) else frozenset()
