"""Features computed once and used often: what forests and transfer learning are fitted to."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from whoplays.models.errors import DataError
from whoplays.training.data.library import Library, stamp
from whoplays.training.data.mixing import balanced, solos
from whoplays.training.data.splits import Splits
from whoplays.training.files import DAMAGED, atomic_write
from whoplays.training.fit.checkpoints import save
from whoplays.training.fit.training_data import TrainingExample, draw_windows
from whoplays.training.recipes import Recipe

_BATCH: Final = 16


class CachedFeatures(NamedTuple):
    """What a front end or a frozen network makes of windows."""

    features: Tensor
    """`float32 [windows, features]`."""
    targets: Tensor
    """`float32 [windows, labels]`, 0 or 1."""


def compute_features(
    front: Callable[[Tensor], Tensor], recipe: Recipe, splits: Splits, library: Library
) -> CachedFeatures:
    """Draw the recipe's windows once and keep what `front` makes of them.

    Raises:
        DataError: no recording in the training split plays one of the recipe's labels.
    """
    train = solos(splits.train, recipe.labels)
    if not train:
        raise DataError(f"no recording in the training split plays one of: {', '.join(recipe.labels)}")
    takes = balanced(train)
    count = recipe.epoch_windows or len(takes)
    windows = draw_windows(recipe.examples, library, takes, recipe.labels, count, (recipe.seed, 0))
    loader: DataLoader[TrainingExample] = DataLoader(windows, _BATCH)
    features: list[Tensor] = []
    targets: list[Tensor] = []
    for audio, target in loader:
        with torch.no_grad():
            features.append(front(audio))
        targets.append(target)
    return CachedFeatures(torch.cat(features), torch.cat(targets))


def cached(path: Path, key: str, compute: Callable[[], CachedFeatures]) -> CachedFeatures:
    """What was kept in `path` under the same key; else, or where that is damaged, computed and kept."""
    found = _read(path, key)
    if found is not None:
        return found
    features = compute()
    with atomic_write(path) as unfinished:
        save({"key": key, **features._asdict()}, unfinished)
    return features


def cache_key(recipe: Recipe, splits: Splits, weights: Path) -> str:
    """What features depend on: the drawing of windows, the recordings as they are now, and the network's weights."""
    drawn = (recipe.network, recipe.examples, recipe.labels, recipe.epoch_windows, recipe.seed)
    facts = msgspec.json.encode([drawn, [(stamp(clip.path), clip.described().decode()) for clip in splits.train]])
    return hashlib.sha256(facts + weights.read_bytes()).hexdigest()


def _read(path: Path, key: str) -> CachedFeatures | None:
    try:
        found = torch.load(path)
        return CachedFeatures(found["features"].clone(), found["targets"].clone()) if found["key"] == key else None
    except (OSError, *DAMAGED):
        return None
