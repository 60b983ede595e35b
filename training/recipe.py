"""A recipe: everything that decides what a training run does, apart from the recordings it is given."""

import importlib
import pkgutil
from typing import Final, Literal

import msgspec

from whoplays.models.card import Task
from whoplays.models.errors import DataError

EFFICIENTAT: Final = "efficientat-mn04"
"""A tagger whose frozen features can be learnt from, instead of a run's."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One way to train one network."""

    name: str
    description: str
    network: Literal[
        "raw-cnn",
        "deep-mel-cnn",
        "padded-mel-cnn",
        "mel-crnn",
        "raw-transfer",
        "mel-transfer",
        "efficientat-transfer",
        "raw-forest",
        "mel-forest",
    ]
    material: Literal["solos", "pairs", "solos and pairs", "band"]
    """What a training window is: one instrument, two, the one or the other, or none to four with background, room
    and noise."""
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
    bank_windows: int = 0
    """`band`: how many windows to prepare before training where no bank is given."""
    taught_share: float = 0.0
    """`band`: of a batch, how much are the bank's windows as they are, with what teachers make of them."""
    lesson_weight: float = 0.0
    """`band`: how much it counts to foretell the teachers, beside naming who plays."""
    pseudo_labels: bool = False
    """`band`: unlabelled music counts as what the teachers' answers make likely to play in it, where lessons count."""
    trees: int = 0
    """`raw-forest`, `mel-forest`: how many trees are grown."""
    base: str | None = None
    """`raw-transfer`, `mel-transfer`: the recipe of the run whose frozen features are learnt from;
    `efficientat-transfer`: the tagger whose are."""
    seed: int = 20

    @property
    def is_forest(self) -> bool:
        """Whether trees are grown, not a network trained."""
        return self.network in {"raw-forest", "mel-forest"}

    @property
    def hears_once(self) -> bool:
        """Whether it learns from kept features; else from audio drawn afresh every epoch."""
        return self.is_forest or self.base is not None


_RECIPES: Final = "whoplays.training.recipes"


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
