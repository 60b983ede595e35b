"""The seed's network: six convolutions over the raw waveform."""

from typing import Final

from torch import Tensor, nn

from whoplays.training.baselines.level import peak_normalised

# (channels, kernel, pool) of each layer.
_LAYERS: Final = ((64, 11, 2), (64, 9, 2), (64, 7, 4), (32, 5, 4), (16, 5, 4), (2, 5, 4))
_FEATURES: Final = 254


class RawCNN(nn.Module):
    """Peak-normalise; six times convolution, ReLU, max-pool, batch-norm; then one linear layer.

    Convolutions are written as `Conv2d(1, k)`: the same numbers as `Conv1d`, twice as fast under onnxruntime on a CPU.

    Shape: `[batch, 2, 132300]` -> `[batch, labels]`
    """

    def __init__(self, labels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 2
        for width, kernel, pool in _LAYERS:
            layers += [
                nn.Conv2d(channels, width, (1, kernel)),
                nn.ReLU(),
                nn.MaxPool2d((1, pool)),
                nn.BatchNorm2d(width),
            ]
            channels = width
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(_FEATURES, labels)

    def forward(self, audio: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.head(self.dropout(self.features(peak_normalised(audio).unsqueeze(2))))
        return logits

    def behead(self) -> int:
        """Give features instead of logits from now on; return how many."""
        self.add_module("head", nn.Identity())
        return _FEATURES
