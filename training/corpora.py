"""Opening corpora by folder, and how much of each a run may hear: `DIR`, `DIR@2/5` or `DIR@all`."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from models.errors import DataError
from training.clip import Clip, Corpus
from training.irmas import IRMAS_TEST_PART, Irmas, IrmasTest
from training.labelled_folder import LabelledFolder
from training.splits import Splits, by_group, holding_out

_SHARE: Final = re.compile(r"^(.+)(@(?:\d+/\d+|all))$")


class Material(NamedTuple):
    """A corpus and its part in a run."""

    corpus: Corpus
    fold: tuple[int, int] | None
    """(k, n): the k-th of n folds of its sources is for judging, the rest for training."""
    everything: bool
    """All of it is for training."""

    def splits(self, seed: int) -> Splits:
        """Its clips as training, validation and test."""
        clips = self.corpus.clips()
        if self.everything:
            return Splits(clips, [], [])
        if self.fold:
            return holding_out(clips, *self.fold)
        return by_group(clips, seed)


def open_corpus(folder: Path) -> Corpus:
    """The corpus in a folder: any folder with an `index.csv`, IRMAS' training folders, or IRMAS' test parts.

    Raises:
        DataError: the folder is none of these.
    """
    if folder_and_share(str(folder))[1] and not folder.exists():
        raise DataError(f"{folder}: a share of a corpus is for training; give {folder_and_share(str(folder))[0]}")
    if (folder / "index.csv").is_file():
        return LabelledFolder(folder)
    if (folder / "IRMAS-TrainingData").is_dir():
        return Irmas(folder)
    if folder.name == "IRMAS-TrainingData":
        return Irmas(folder.parent)
    if folder.name.startswith(IRMAS_TEST_PART):
        return IrmasTest(folder)
    raise DataError(
        f"{folder} is no corpus: it holds no index.csv, no IRMAS-TrainingData, and is no {IRMAS_TEST_PART}1, 2 or 3"
    )


def folder_and_share(text: str) -> tuple[str, str]:
    """A corpus as typed, in two: its folder, and `@2/5`, `@all` or nothing."""
    found = _SHARE.match(text)
    return (found[1], found[2]) if found else (text, "")


def open_material(text: str) -> Material:
    """`DIR` is split 60/20/20 by group; `DIR@k/n` holds out the k-th of n folds of its sources; `DIR@all`, nothing.

    Raises:
        DataError: no such corpus or fold.
    """
    folder, share = folder_and_share(text)
    corpus = open_corpus(Path(folder))
    if share in {"", "@all"}:
        return Material(corpus, fold=None, everything=share == "@all")
    fold, folds = map(int, share.removeprefix("@").split("/"))
    if not 1 <= fold <= folds or folds < 2:
        raise DataError(f"{text}: folds are numbered 1 to n, n at least 2, as in {folder}@1/2")
    return Material(corpus, fold=(fold, folds), everything=False)


def gather(materials: list[Material], seed: int) -> Splits:
    """The splits of several corpora, joined."""
    parts = [material.splits(seed) for material in materials]
    joined: list[list[Clip]] = [[clip for part in parts for clip in part[index]] for index in range(3)]
    return Splits(*joined)
