"""Recipes: everything that decides what a training run does, apart from the recordings it is given.

A recipe of one's own is another entry of `RECIPES`.
"""

from typing import Final, Literal

import msgspec

from whoplays.models.card import Task
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES

EFFICIENTAT: Final = "efficientat-mn04"
"""A published tagger whose frozen features can be used, instead of a run's."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One way to train one network. In files some fields have the names that earlier versions gave them."""

    name: str
    description: str
    network: Literal[
        "frame-tagger",
        "raw-cnn",
        "mel-crnn",
        "raw-transfer",
        "efficientat-transfer",
        "raw-forest",
        "mel-forest",
    ]
    examples: Literal["solos", "pairs", "solos and pairs", "band"] = msgspec.field(name="material")
    """What a training window is: one instrument, two, the one or the other, or a mixture of none to four with
    background, room and noise."""
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
    prepared_windows: int = msgspec.field(default=0, name="bank_windows")
    """`band`: how many windows to prepare before training where none are given."""
    prepared_share: float = msgspec.field(default=0.0, name="taught_share")
    """`band`: of a batch, how much are prepared windows as they are, mixtures of audio among them."""
    trees: int = 0
    """`raw-forest`, `mel-forest`: how many trees are grown."""
    base: str | None = None
    """What training begins with: `raw-transfer`: the recipe of the run whose frozen features are used;
    `efficientat-transfer`: the tagger whose are; `frame-tagger`: the tagger that is trained further."""
    base_share: float = 0.0
    """`frame-tagger`: how much of the weights that it began with the network keeps, beside those that were trained."""
    keeps_labels: bool = False
    """Whether the labels are those that the base knows and those of the data, instead of these; what the data hold no
    recording of, the base itself teaches."""
    seed: int = 20

    @property
    def is_forest(self) -> bool:
        """Whether trees are grown, not a network trained."""
        return self.network in {"raw-forest", "mel-forest"}

    @property
    def uses_cached_features(self) -> bool:
        """Whether features are computed once and kept; else audio is drawn afresh every epoch."""
        return self.is_forest or self.network.endswith("-transfer")


_DEFAULT: Final = Recipe(
    name="band-mobilenet",
    description="A MobileNetV3 over log-mel frames, begun from EfficientAT mn04, names each of twenty instruments, in "
    "the window and in each third of a second.",
    network="frame-tagger",
    examples="band",
    task="multi-label",
    labels=NAMES,
    epochs=12,
    epoch_windows=6400,
    batch_windows=64,
    learning_rate=8e-4,
    one_cycle=True,
    prepared_windows=20_000,
    prepared_share=0.2,
    base=EFFICIENTAT,
    base_share=0.5,
)

_FINE_TUNE: Final = msgspec.structs.replace(
    _DEFAULT,
    name="fine-tune",
    description="A model that ships, trained on with further recordings.",
    keeps_labels=True,
    base_share=0.0,
    epochs=6,
    epoch_windows=1600,
    batch_windows=32,
    learning_rate=2e-4,
    prepared_windows=1536,
)

# The rows of the original project's table (training/baselines/) and what they are compared with.
_SOLO: Final = Recipe(
    name="solo-rawcnn",
    description="Stage 1 of the original project: a convolutional network over the raw waveform names one of four "
    "instruments.",
    network="raw-cnn",
    examples="solos",
    task="single-label",
    labels=CORE,
    epochs=30,
    learning_rate=3e-4,
    patience_epochs=5,
)
_DUO: Final = Recipe(
    name="duo-rawcnn",
    description="Stage 2 of the original project: the same network names each of four instruments, trained on pairs.",
    network="raw-cnn",
    examples="pairs",
    task="multi-label",
    labels=CORE,
    epochs=20,
    learning_rate=3e-4,
    patience_epochs=5,
)
_FOREST: Final = Recipe(
    name="forest-raw",
    description="A random forest over the waveform at 2,205 Hz names each of four instruments.",
    network="raw-forest",
    examples="solos and pairs",
    task="multi-label",
    labels=CORE,
    epochs=1,
    epoch_windows=3072,
    learning_rate=0.0,
    trees=500,
)
_TRANSFER: Final = Recipe(
    name="transfer-rawcnn",
    description="The original project's transfer: dense layers on the frozen features of stage 1 name each of four "
    "instruments.",
    network="raw-transfer",
    base="solo-rawcnn",
    examples="pairs",
    task="multi-label",
    labels=CORE,
    epochs=200,
    epoch_windows=1280,
    batch_windows=64,
    learning_rate=1e-4,
)

RECIPES: Final = (
    _DEFAULT,
    _FINE_TUNE,
    _SOLO,
    _DUO,
    msgspec.structs.replace(
        _DUO,
        name="duo-crnn",
        description="Convolutions and a GRU over log-mel frames name each of four instruments, trained on pairs.",
        network="mel-crnn",
        learning_rate=1e-3,
    ),
    _FOREST,
    msgspec.structs.replace(
        _FOREST,
        name="forest-mel",
        description="A random forest over statistics of log-mel bands names each of four instruments.",
        network="mel-forest",
    ),
    _TRANSFER,
    msgspec.structs.replace(
        _TRANSFER,
        name="transfer-efficientat",
        description="Dense layers on the frozen features of EfficientAT mn04 name each of four instruments.",
        network="efficientat-transfer",
        base=EFFICIENTAT,
        epoch_windows=6144,
    ),
)


def names() -> list[str]:
    """All recipes' names, as the command line takes them."""
    return sorted(recipe.name for recipe in RECIPES)


def suited(base: str | None) -> Recipe:
    """The recipe that is meant where none is named: a model or a run is fine-tuned, a tagger is made a model of.

    Args:
        base: as typed; a tagger is a file.
    """
    return _DEFAULT if base is None or base.endswith(".pt") else _FINE_TUNE


def find(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        DataError: there is none.
    """
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    raise DataError(f"recipe {name!r} not found; there are: {', '.join(names())}")
