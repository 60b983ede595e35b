"""The seed's windows as data sets: solos and pairs, drawn afresh every epoch or fixed by a seed."""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from whoplays.models.errors import DataError
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import Take, Window, by_label, draw_pair, pair, peak_normalised, random_window


class Example(NamedTuple):
    """A window and which labels it holds."""

    audio: Tensor
    """`float32 [2, 132300]` in [-1, 1]."""
    target: Tensor
    """`float32 [labels]`, 0 or 1."""


class SoloWindows(Dataset[Example]):
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

    def __getitem__(self, index: int) -> Example:
        take = self._takes[index]
        audio = _heard(self._library, take, np.random.default_rng([*self._draw, index]))
        return example(audio, take.clip.labels, self._labels)


class PairWindows(Dataset[Example]):
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

    def __getitem__(self, index: int) -> Example:
        rng = np.random.default_rng([*self._draw, index])
        takes = draw_pair(self._takes, rng)
        first, second = (_heard(self._library, take, rng) for take in takes)
        return example(pair(first, second), takes[0].clip.labels | takes[1].clip.labels, self._labels)


def draw_windows(
    material: str, library: Library, takes: list[Take], labels: tuple[str, ...], count: int, draw: tuple[int, ...]
) -> Dataset[Example]:
    """So many windows of the material that a recipe names; `solos and pairs` are half the one, half the other."""
    solos, pairs = partial(SoloWindows, library, takes, labels), partial(PairWindows, library, takes, labels)
    match material:
        case "solos":
            return solos(count, draw)
        case "pairs":
            return pairs(count, draw)
        case "solos and pairs":
            return ConcatDataset([solos(count // 2, draw), pairs(count - count // 2, draw)])
    raise DataError(f"windows of {material} are not drawn one by one")


def example(audio: Window, heard: frozenset[str], labels: tuple[str, ...]) -> Example:
    """A window and its labels as tensors."""
    target = torch.tensor([float(label in heard) for label in labels])
    return Example(torch.from_numpy(audio), target)


def _heard(library: Library, take: Take, rng: np.random.Generator) -> Window:
    return take.sign * peak_normalised(random_window(library, take.clip, rng))
