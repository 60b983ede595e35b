"""Features heard once and learnt from often: what forests and transfer learning start from."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from whoplays.models.errors import DataError
from whoplays.training.damaged import DAMAGED
from whoplays.training.data.library import Library, stamp
from whoplays.training.data.mixing import balanced, solos
from whoplays.training.data.splits import Splits
from whoplays.training.fit.examples import Example, draw_windows
from whoplays.training.fit.saving import save
from whoplays.training.recipe import Recipe
from whoplays.training.whole import whole

_BATCH: Final = 16


class Heard(NamedTuple):
    """Windows as a front end or a frozen network hears them."""

    features: Tensor
    """`float32 [windows, features]`."""
    targets: Tensor
    """`float32 [windows, labels]`, 0 or 1."""


def hear(front: Callable[[Tensor], Tensor], recipe: Recipe, splits: Splits, library: Library) -> Heard:
    """Draw the recipe's windows once and keep what `front` makes of them.

    Raises:
        DataError: no recording in the training split plays one of the recipe's labels.
    """
    train = solos(splits.train, recipe.labels)
    if not train:
        raise DataError(f"no recording in the training split plays one of: {', '.join(recipe.labels)}")
    takes = balanced(train)
    count = recipe.epoch_windows or len(takes)
    windows = draw_windows(recipe.material, library, takes, recipe.labels, count, (recipe.seed, 0))
    loader: DataLoader[Example] = DataLoader(windows, _BATCH)
    features: list[Tensor] = []
    targets: list[Tensor] = []
    for audio, target in loader:
        with torch.no_grad():
            features.append(front(audio))
        targets.append(target)
    return Heard(torch.cat(features), torch.cat(targets))


def kept(path: Path, key: str, make: Callable[[], Heard]) -> Heard:
    """What was heard before and kept in `path` under the same key; else, or where that is damaged, made and kept."""
    found = _read(path, key)
    if found is not None:
        return found
    heard = make()
    with whole(path) as unfinished:
        save({"key": key, **heard._asdict()}, unfinished)
    return heard


def _read(path: Path, key: str) -> Heard | None:
    try:
        found = torch.load(path)
        return Heard(found["features"].clone(), found["targets"].clone()) if found["key"] == key else None
    except (OSError, *DAMAGED):
        return None


def key_of(recipe: Recipe, splits: Splits, base: Path) -> str:
    """What features depend on: the drawing of windows, the recordings as they are now, and what hears them."""
    drawn = (recipe.network, recipe.material, recipe.labels, recipe.epoch_windows, recipe.seed)
    facts = msgspec.json.encode([drawn, [(stamp(clip.path), clip.described().decode()) for clip in splits.train]])
    return hashlib.sha256(facts + base.read_bytes()).hexdigest()
