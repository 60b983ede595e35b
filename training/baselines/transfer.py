"""Transfer: the frozen features of a run, or of a published tagger, under a new small head."""

from pathlib import Path
from typing import Final

from torch import Tensor, nn

from whoplays.models.errors import DataError
from whoplays.training.base import Base
from whoplays.training.baselines.networks import RawCNN
from whoplays.training.data.splits import Splits, refuse_leak
from whoplays.training.fit.checkpoints import load
from whoplays.training.networks.efficientat import EfficientATFeatures, read_weights
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder

_INNER: Final = (100, 50)
_DROPOUT: Final = 0.2


class Transfer(nn.Module):
    """The features of a network without its head, then the original project's dense layers: width-100-50-labels.

    Only `head` is meant to be trained.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, base: RawCNN | EfficientATFeatures, labels: int) -> None:
        super().__init__()
        width = base.remove_head()
        self.base = base.requires_grad_(requires_grad=False)
        self.head = nn.Sequential(
            nn.Linear(width, _INNER[0]),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_INNER[0], _INNER[1]),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(_INNER[1], labels),
        )

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.head(self.base(audio))
        return logits


def raw_transfer(labels: int) -> Transfer:
    """On the original project's network over the raw waveform."""
    return Transfer(RawCNN(labels), labels)


def efficientat_transfer(labels: int) -> Transfer:
    """On EfficientAT mn04."""
    return Transfer(EfficientATFeatures(), labels)


def load_frozen_features(network: Transfer, recipe: Recipe, splits: Splits, base: Base) -> None:
    """Give a network the features of `base`: a run, or a tagger.

    Raises:
        DataError: `base` is of another recipe or no such file, or was trained on what this run holds out.
    """
    if isinstance(network.base, EfficientATFeatures):
        network.base.features.load_state_dict(read_weights(base.weights).features.state_dict())
        return
    config = RunFolder(Path(base.name)).config()
    if config.recipe.name != recipe.base:
        raise DataError(
            f"{recipe.name} uses the features of a run of {recipe.base}; {base.name} is one of {config.recipe.name}"
        )
    refuse_leak(base.seen, splits, base.name)
    trained = load(config.recipe, base.weights).network.state_dict()
    try:
        network.base.load_state_dict({name: trained[name] for name in network.base.state_dict()})
    except (KeyError, RuntimeError) as error:
        raise DataError(f"{base.name} is of another network than {recipe.name} uses; train it again") from error
