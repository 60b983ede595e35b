"""A recipe: everything that decides what a training run does, apart from the recordings it is given."""

import importlib
import pkgutil
from typing import Final, Literal

import msgspec

from models.card import Task
from models.errors import DataError


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One way to train one network."""

    name: str
    description: str
    network: Literal["raw-cnn", "mel-cnn"]
    material: Literal["solos", "pairs", "band"]
    """What a training window is: one instrument, two, or none to three with background, room and noise."""
    task: Task
    labels: tuple[str, ...]
    epochs: int
    epoch_windows: int | None = None
    """Windows in one epoch; as many as there are takes unless given."""
    batch_windows: int = 16
    learning_rate: float
    one_cycle: bool = False
    """Learning rate that rises to `learning_rate`, then falls to nothing, instead of a constant one."""
    patience_epochs: int | None = None
    """Stop once validation has not improved for so many epochs."""
    stems: int = 0
    """`band`: how many stems are prepared before training."""
    seed: int = 20


_RECIPES: Final = "training.recipes"


def names() -> list[str]:
    """All recipes' names, as the command line takes them."""
    package = importlib.import_module(_RECIPES)
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(package.__path__))


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        DataError: there is none.
    """
    if name not in names():
        raise DataError(f"no recipe {name!r}; there are: {', '.join(names())}")
    recipe: Recipe = importlib.import_module(f"{_RECIPES}.{name.replace('-', '_')}").RECIPE
    return recipe
