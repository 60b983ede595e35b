"""IRMAS as its users download it: training folders by instrument, test parts with `.txt` labels.

Source: Bosch, Janer, Fuhrmann, Herrera (ISMIR 2012). For non-commercial use; never redistributed.
"""

import re
from pathlib import Path
from typing import Final

from models.errors import DataError
from models.labels import NAMES
from training.clip import Clip

_LICENCE: Final = "CC BY-NC-SA 3.0 (IRMAS)"
_TRAINING: Final = "IRMAS-TrainingData"
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

    @property
    def name(self) -> str:
        """What reports call it."""
        return "IRMAS"

    def clips(self) -> list[Clip]:
        """One clip for every training file; all excerpts of one recording share a group."""
        paths = [path for code in NAMES for path in sorted((self._folder / _TRAINING / code).glob("*.wav"))]
        if not paths:
            raise DataError(f"{self._folder} has no {_TRAINING}/<code>/*.wav; give the folder that holds {_TRAINING}")
        return [
            Clip(
                path=path,
                labels=frozenset([path.parent.name]),
                group=f"IRMAS/{recording_number(path)}",
                source="IRMAS",
                licence=_LICENCE,
            )
            for path in paths
        ]


class IrmasTest:
    """One test part (several labels an excerpt): `IRMAS-TestingData-Part1/**/<name>.wav` beside `<name>.txt`.

    Raises:
        DataError: the part holds no recording, or labels are missing or unknown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The part's name."""
        return self._folder.name

    def clips(self) -> list[Clip]:
        """One clip for every excerpt; excerpts of one song share a group."""
        paths = sorted(self._folder.glob("**/*.wav"))
        if not paths:
            raise DataError(f"{self._folder} holds no recordings")
        return [
            Clip(
                path=path,
                labels=_written_labels(path.with_suffix(".txt")),
                group=f"IRMAS test/{path.stem.rpartition('-')[0] or path.stem}",
                source=self.name,
                licence=_LICENCE,
            )
            for path in paths
        ]


def recording_number(path: Path) -> str:
    """The number of the recording an excerpt was cut from; the whole name where it has none.

    Two naming schemes occur, `[gac][pop_roc]0571__1` and `008__[cel][nod][cla]0058__1`; both give the digits
    before the last `__`.
    """
    found = _NUMBER.search(path.stem)
    return found.group(1) if found else path.stem


def _written_labels(path: Path) -> frozenset[str]:
    try:
        words = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise DataError(f"{path} cannot be read; every test excerpt has its labels in a .txt beside it") from error
    unknown = [word for word in words if word not in NAMES]
    if unknown:
        raise DataError(f"{path}: unknown label {unknown[0]!r}")
    return frozenset(words)
