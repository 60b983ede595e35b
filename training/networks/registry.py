"""Which networks there are, by the names that recipes call them."""

from collections.abc import Callable
from typing import Final

from torch import nn

from whoplays.models.card import Task
from whoplays.models.errors import DataError
from whoplays.training.baselines.forest import Forest
from whoplays.training.baselines.forest_features import MelStatistics, Samples
from whoplays.training.baselines.mel_crnn import MelCRNN
from whoplays.training.baselines.raw_cnn import RawCNN
from whoplays.training.baselines.transfer import Transfer
from whoplays.training.networks.efficientat import EfficientATFeatures
from whoplays.training.networks.mel_cnn import MelCNN

Network = RawCNN | MelCNN | MelCRNN | Transfer | Forest

_MAKERS: Final[dict[str, Callable[[int], Network]]] = {
    "raw-cnn": RawCNN,
    "deep-mel-cnn": lambda labels: MelCNN(labels, deep=True),
    "padded-mel-cnn": lambda labels: MelCNN(labels, deep=True, padded=True),
    "mel-crnn": MelCRNN,
    "raw-transfer": lambda labels: Transfer(RawCNN(labels), labels),
    "mel-transfer": lambda labels: Transfer(MelCNN(labels, deep=True), labels),
    "efficientat-transfer": lambda labels: Transfer(EfficientATFeatures(), labels),
    "raw-forest": lambda labels: Forest(Samples(), labels),
    "mel-forest": lambda labels: Forest(MelStatistics(), labels),
}


def build(name: str, labels: int) -> Network:
    """A network that has learnt nothing yet.

    Raises:
        DataError: there is none of that name.
    """
    if name not in _MAKERS:
        raise DataError(f"no network {name!r}; there are: {', '.join(_MAKERS)}")
    return _MAKERS[name](labels)


def to_probabilities(network: Network, task: Task) -> nn.Module:
    """What makes probabilities of a network's output; a forest's are such already."""
    if isinstance(network, Forest):
        return nn.Identity()
    return nn.Softmax(dim=1) if task == "single-label" else nn.Sigmoid()
