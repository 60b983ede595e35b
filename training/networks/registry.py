"""Which networks there are, by the names that recipes call them; each is loaded when it is built."""

from importlib import import_module
from typing import Final

from torch import nn

from whoplays.models.errors import DataError

_BUILDERS: Final = {
    "frame-tagger": "whoplays.training.networks.frame_tagger:FrameTagger",
    "raw-cnn": "whoplays.training.baselines.networks:RawCNN",
    "mel-crnn": "whoplays.training.baselines.networks:MelCRNN",
    "raw-transfer": "whoplays.training.baselines.transfer:raw_transfer",
    "efficientat-transfer": "whoplays.training.baselines.transfer:efficientat_transfer",
    "raw-forest": "whoplays.training.baselines.forest:raw_forest",
    "mel-forest": "whoplays.training.baselines.forest:mel_forest",
}


def build(name: str, labels: int) -> nn.Module:
    """An untrained network, `[batch, 2, 132300]` -> `[batch, labels]`.

    Raises:
        DataError: there is none of that name.
    """
    if name not in _BUILDERS:
        raise DataError(f"network {name!r} not found; there are: {', '.join(_BUILDERS)}")
    module, builder = _BUILDERS[name].split(":")
    network: nn.Module = getattr(import_module(module), builder)(labels)
    return network
