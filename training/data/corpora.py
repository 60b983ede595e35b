"""Corpora by folder, how much of each a run uses (`DIR`, `DIR@2/5` or `DIR@all`), and what of it can be read."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import DataError, OptionError
from whoplays.training.console import NOTES
from whoplays.training.data.clip import Clip, Corpus
from whoplays.training.data.irmas import IRMAS_TEST_PART, TRAINING, Irmas, IrmasTest
from whoplays.training.data.labelled_folder import LabelledFolder
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, by_group, holding_out

_SHARE: Final = re.compile(r"^(.+)(@(?:\d+/\d+|all))$")


class CorpusShare(NamedTuple):
    """A corpus and how much of it a run uses."""

    text: str
    """As typed."""
    corpus: Corpus
    fold: tuple[int, int] | None
    """(k, n): the k-th of n folds of its sources is for testing, the rest for training."""
    everything: bool
    """All of it is for training."""

    def splits(self, seed: int) -> Splits:
        """Its clips as training, validation and test.

        Raises:
            DataError: it cannot be read, or nothing would be held out, or everything.
        """
        clips = self.corpus.clips()
        if self.everything:
            return Splits(clips, [], [])
        if self.fold is None:
            return by_group(clips, seed)
        splits = holding_out(clips, *self.fold)
        if not splits.train or not splits.test:
            what = "nothing to train on" if splits.test else "nothing to test on"
            sources = len({clip.source for clip in clips})
            raise DataError(
                f"{self.text} leaves {what}: folds are of whole sources, and there {_are(sources)} (those that share a "
                "group count as one); give another fold"
            )
        return splits


def open_corpus(folder: Path) -> Corpus:
    """The corpus in a folder: any folder with an `index.csv`, IRMAS' training folders, or IRMAS' test parts.

    Raises:
        DataError: the folder is none of these.
    """
    if folder_and_share(str(folder))[1] and not folder.exists():
        raise DataError(f"{folder}: a share of a corpus is for training; give {folder_and_share(str(folder))[0]}")
    if (folder / "index.csv").is_file():
        return LabelledFolder(folder)
    if (folder / TRAINING).is_dir():
        return Irmas(folder)
    if folder.name == TRAINING:
        return Irmas(folder.parent)
    if folder.name.startswith(IRMAS_TEST_PART):
        return IrmasTest(folder)
    raise DataError(
        f"corpus not found in {folder}: it has no index.csv, no {TRAINING}, and is not {IRMAS_TEST_PART}1, 2 or 3"
    )


def folder_and_share(text: str) -> tuple[str, str]:
    """A corpus as typed, in two: its folder, and `@2/5`, `@all` or nothing."""
    found = _SHARE.match(text)
    return (found[1], found[2]) if found else (text, "")


def open_share(text: str) -> CorpusShare:
    """`DIR` is split 60/20/20 by group; `DIR@k/n` holds out the k-th of n folds of its sources; `DIR@all`, nothing.

    Raises:
        DataError: no such corpus or fold.
    """
    folder, share = folder_and_share(text)
    corpus = open_corpus(Path(folder))
    if share in {"", "@all"}:
        return CorpusShare(text, corpus, fold=None, everything=share == "@all")
    fold, folds = map(int, share.removeprefix("@").split("/"))
    if not 1 <= fold <= folds or folds < 2:
        raise DataError(f"{text}: folds are numbered 1 to n, n at least 2, as in {folder}@1/2")
    return CorpusShare(text, corpus, fold=(fold, folds), everything=False)


def open_shares(texts: list[str]) -> list[CorpusShare]:
    """Several, of which none is there twice.

    Raises:
        DataError: no such corpus or fold.
        OptionError: two are of one folder.
    """
    _refuse_twice(texts)
    return [open_share(text) for text in texts]


def open_corpora(folders: list[Path]) -> list[Corpus]:
    """The corpora in several folders, of which none is there twice.

    Raises:
        DataError: a folder is no corpus.
        OptionError: two are the same.
    """
    _refuse_twice([str(folder) for folder in folders])
    return [open_corpus(folder) for folder in folders]


def _refuse_twice(texts: list[str]) -> None:
    """Recordings would count twice, or be held out and trained on all the same."""
    given: dict[Path, str] = {}
    for text in texts:
        folder = Path(folder_and_share(text)[0]).resolve()
        folder = folder.parent if folder.name == TRAINING else folder
        if folder in given:
            raise OptionError(f"--data {given[folder]} and --data {text} are of one folder; leave out one of them")
        given[folder] = text


def gather(shares: list[CorpusShare], seed: int) -> Splits:
    """The splits of several corpora, joined."""
    parts = [share.splits(seed) for share in shares]
    joined: list[list[Clip]] = [[clip for part in parts for clip in part[index]] for index in range(3)]
    return Splits(*joined)


def _are(sources: int) -> str:
    return "is one source" if sources == 1 else f"are {sources} sources"


def readable(clips: Iterable[Clip], library: Library) -> list[Clip]:
    """Leave out what cannot be read, naming each file and counting them."""
    asked = list(clips)
    good, skipped = library.readable(asked)
    for path, reason in skipped:
        NOTES.print(f"skipped {path}: {reason}")
    if skipped:
        NOTES.print(f"skipped {len(skipped)} of {len(asked)} files")
    return good


def require_readable(clips: Iterable[Clip], library: Library, what_for: str, folders: Iterable[str]) -> list[Clip]:
    """What of them can be read, which must be something.

    Args:
        what_for: why they are needed, such as `to train on`.
        folders: what they were looked for in.

    Raises:
        DataError: nothing of it can be read.
    """
    good = readable(clips, library)
    if not good:
        raise DataError(f"there is nothing {what_for}: no recording in {', '.join(folders)} can be read")
    return good
