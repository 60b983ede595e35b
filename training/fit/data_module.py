"""What each epoch trains on and is validated with, by the recipe's material."""

from functools import cached_property
from typing import Final

import lightning
import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from whoplays.models.errors import DataError
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import Take, balanced, solos
from whoplays.training.data.splits import Splits
from whoplays.training.fit.examples import Example, draw_windows
from whoplays.training.fit.lessons import Lessons, lessons_of
from whoplays.training.fit.mixtures import BandBatch, Bands
from whoplays.training.fit.pseudo_labels import pseudo_labels
from whoplays.training.recipe import Recipe
from whoplays.training.windows.shards import Bank

VALIDATION_WINDOWS: Final = 256
_VALIDATION_DRAW: Final = 1_000_000


class Batches(lightning.LightningDataModule):
    """Batches of one recipe over one set of splits; training windows are drawn afresh every epoch.

    Args:
        bank: what bands are mixed from, for a recipe of that material.

    Raises:
        DataError: the splits hold too little for the recipe to train on.
    """

    def __init__(self, recipe: Recipe, splits: Splits, library: Library, bank: Bank | None = None) -> None:
        super().__init__()
        self._recipe, self._library, self._bank = recipe, library, bank
        if recipe.material == "band" and bank is None:
            raise DataError(f"{recipe.name} mixes bands from a bank, and none was given")
        train = solos(splits.train, recipe.labels)
        if not train:
            raise DataError(f"no recording in the training split plays one of: {', '.join(recipe.labels)}")
        self._takes = balanced(train)
        self._epoch_windows = _epoch_windows(recipe, self._takes)
        self._validation = [Take(clip, 1) for clip in solos(splits.validation, recipe.labels)]

    @cached_property
    def _pseudo_labels(self) -> NDArray[np.float32] | None:
        taught = self._recipe.pseudo_labels and self._bank and self._bank.windows.lessons.shape[1]
        return pseudo_labels(self._bank, self._recipe.seed) if self._bank and taught else None

    @cached_property
    def _lessons(self) -> Lessons | None:
        return lessons_of(self._bank) if self._bank else None

    @property
    def has_validation(self) -> bool:
        """Whether validation hears every label that training does; with some missing it would mislead.

        Of a single label there are no pairs to validate with.
        """
        heard = _heard(self._validation)
        return heard == _heard(self._takes) and (self._recipe.material == "solos" or len(heard) > 1)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]] | DataLoader[BandBatch]:
        """This epoch's windows, drawn in random order."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        recipe, draw, windows = self._recipe, (self._recipe.seed, epoch), self._epoch_windows
        if self._bank:
            batch, taught = recipe.batch_windows, recipe.taught_share
            bands = Bands(self._bank, windows, batch, taught, draw, self._pseudo_labels, self._lessons)
            return DataLoader(bands, batch_size=None)
        data = self._windows(self._takes, draw, windows)
        return DataLoader(data, recipe.batch_windows, drop_last=True)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """The same windows every time."""
        data = self._windows(self._validation, (self._recipe.seed, _VALIDATION_DRAW), VALIDATION_WINDOWS)
        return DataLoader(data, self._recipe.batch_windows)

    def _windows(self, takes: list[Take], draw: tuple[int, ...], count: int) -> Dataset[Example]:
        material = "pairs" if self._recipe.material == "band" else self._recipe.material
        return draw_windows(material, self._library, takes, self._recipe.labels, count, draw)


def _epoch_windows(recipe: Recipe, takes: list[Take]) -> int:
    """How many windows an epoch has; solos are drawn without return."""
    windows = recipe.epoch_windows or len(takes)
    if recipe.material == "solos":
        windows = min(windows, len(takes))
    if windows < recipe.batch_windows:
        raise DataError(f"an epoch of {windows} windows does not fill a batch of {recipe.batch_windows}")
    return windows


def _heard(takes: list[Take]) -> set[str]:
    return {label for take in takes for label in take.clip.labels}
