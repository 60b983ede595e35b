"""What each epoch trains on and is validated with, by the recipe: windows of audio, or mixtures of prepared solos."""

from functools import partial
from typing import Final, NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset

from whoplays.models.errors import DataError
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import (
    Take,
    Window,
    balanced,
    by_label,
    draw_pair,
    pair,
    peak_normalised,
    random_window,
    solos,
)
from whoplays.training.data.splits import Splits
from whoplays.training.fit.mixtures import MixtureBatch, Mixtures
from whoplays.training.recipes import Recipe
from whoplays.training.windows.shards import PreparedWindows

VALIDATION_WINDOWS: Final = 256
_VALIDATION_DRAW: Final = 1_000_000


class TrainingExample(NamedTuple):
    """A window and which labels it holds."""

    audio: Tensor
    """`float32 [2, 132300]` in [-1, 1]."""
    target: Tensor
    """`float32 [labels]`, 0 or 1."""


class SoloWindows(Dataset[TrainingExample]):
    """One window of every take; of `count` takes drawn without return, where that is fewer.

    Args:
        draw: which drawing: the same numbers give the same windows.
    """

    def __init__(
        self, library: Library, takes: list[Take], labels: tuple[str, ...], count: int, draw: tuple[int, ...]
    ) -> None:
        self._library, self._labels, self._draw = library, labels, draw
        order = np.random.default_rng(draw).permutation(len(takes))
        self._takes = [takes[index] for index in order[:count]]

    def __len__(self) -> int:
        return len(self._takes)

    def __getitem__(self, index: int) -> TrainingExample:
        take = self._takes[index]
        audio = _draw_window(self._library, take, np.random.default_rng([*self._draw, index]))
        return _to_example(audio, take.clip.labels, self._labels)


class PairWindows(Dataset[TrainingExample]):
    """So many pairs of two different labels.

    Args:
        draw: which drawing: the same numbers give the same pairs.
    """

    def __init__(
        self, library: Library, takes: list[Take], labels: tuple[str, ...], count: int, draw: tuple[int, ...]
    ) -> None:
        self._library, self._labels, self._count, self._draw = library, labels, count, draw
        self._takes: dict[str, list[Take]] = {
            label: [take for take in takes if label in take.clip.labels] for label in by_label([t.clip for t in takes])
        }

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> TrainingExample:
        rng = np.random.default_rng([*self._draw, index])
        takes = draw_pair(self._takes, rng)
        first, second = (_draw_window(self._library, take, rng) for take in takes)
        return _to_example(pair(first, second), takes[0].clip.labels | takes[1].clip.labels, self._labels)


def draw_windows(
    kind: str, library: Library, takes: list[Take], labels: tuple[str, ...], count: int, draw: tuple[int, ...]
) -> Dataset[TrainingExample]:
    """So many windows of the kind that a recipe names; `solos and pairs` are half the one, half the other."""
    solos, pairs = partial(SoloWindows, library, takes, labels), partial(PairWindows, library, takes, labels)
    match kind:
        case "solos":
            return solos(count, draw)
        case "pairs":
            return pairs(count, draw)
        case "solos and pairs":
            return ConcatDataset([solos(count // 2, draw), pairs(count - count // 2, draw)])
    raise DataError(f"windows of {kind} are not drawn one by one")


def _to_example(audio: Window, playing: frozenset[str], labels: tuple[str, ...]) -> TrainingExample:
    target = torch.tensor([float(label in playing) for label in labels])
    return TrainingExample(torch.from_numpy(audio), target)


def _draw_window(library: Library, take: Take, rng: np.random.Generator) -> Window:
    return take.sign * peak_normalised(random_window(library, take.clip, rng))


class TrainingData(lightning.LightningDataModule):
    """Batches of one recipe over one set of splits; training windows are drawn afresh every epoch.

    Args:
        prepared: what mixtures are drawn from, for a recipe of these.

    Raises:
        DataError: the splits hold too little for the recipe to train on.
    """

    def __init__(
        self, recipe: Recipe, splits: Splits, library: Library, prepared: PreparedWindows | None = None
    ) -> None:
        super().__init__()
        self._recipe, self._library, self._prepared = recipe, library, prepared
        if recipe.examples == "band" and prepared is None:
            raise DataError(f"{recipe.name} draws mixtures from prepared windows, and none were given")
        train = solos(splits.train, recipe.labels)
        if not train:
            raise DataError(f"no recording in the training split plays one of: {', '.join(recipe.labels)}")
        self._takes = balanced(train)
        self._epoch_windows = _epoch_windows(recipe, self._takes)
        self._validation = [Take(clip, 1) for clip in solos(splits.validation, recipe.labels)]

    @property
    def labels(self) -> set[str]:
        """What plays alone in some recording to train on."""
        return _labels(self._takes)

    @property
    def has_validation(self) -> bool:
        """Whether validation holds every label that training does; with some missing it would mislead.

        Of a single label there are no pairs to validate with.
        """
        held = _labels(self._validation)
        return held == self.labels and (self._recipe.examples == "solos" or len(held) > 1)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]] | DataLoader[MixtureBatch]:
        """This epoch's windows, drawn in random order."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        recipe, draw, windows = self._recipe, (self._recipe.seed, epoch), self._epoch_windows
        if self._prepared:
            mixtures = Mixtures(self._prepared, windows, recipe.batch_windows, recipe.prepared_share, draw)
            return DataLoader(mixtures, batch_size=None)
        data = self._windows(self._takes, draw, windows)
        return DataLoader(data, recipe.batch_windows, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The same windows every time."""
        data = self._windows(self._validation, (self._recipe.seed, _VALIDATION_DRAW), VALIDATION_WINDOWS)
        return DataLoader(data, self._recipe.batch_windows)

    def _windows(self, takes: list[Take], draw: tuple[int, ...], count: int) -> Dataset[TrainingExample]:
        kind = "pairs" if self._recipe.examples == "band" else self._recipe.examples
        return draw_windows(kind, self._library, takes, self._recipe.labels, count, draw)


def _epoch_windows(recipe: Recipe, takes: list[Take]) -> int:
    """How many windows an epoch has; solos are drawn without return."""
    windows = recipe.epoch_windows or len(takes)
    if recipe.examples == "solos":
        windows = min(windows, len(takes))
    if windows < recipe.batch_windows:
        raise DataError(f"an epoch of {windows} windows does not fill a batch of {recipe.batch_windows}")
    return windows


def _labels(takes: list[Take]) -> set[str]:
    return {label for take in takes for label in take.clip.labels}
