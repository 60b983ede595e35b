"""EfficientAT mn04, an AudioSet tagger of one million parameters (MIT, github.com/fschmid56/EfficientAT).

Source: Schmid, Koutini, Widmer, "Efficient Large-Scale Audio Tagging via Transformer-to-CNN Knowledge Distillation"
(ICASSP 2023); the layers are those of MobileNetV3-Large (Howard et al., 2019) at a width of 0.4.
"""

from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
import torchaudio
from torch import Tensor, nn

from whoplays.models.errors import DataError
from whoplays.training.files import DAMAGED, reason
from whoplays.training.networks.resampling import Resampled

CLASSES: Final = 527
CLASS_INDICES: Final = MappingProxyType(
    {
        "Singing": 27,
        "Choir": 28,
        "Chant": 30,
        "Child singing": 34,
        "Electric guitar": 141,
        "Bass guitar": 142,
        "Acoustic guitar": 143,
        "Banjo": 147,
        "Mandolin": 149,
        "Ukulele": 151,
        "Piano": 153,
        "Organ": 155,
        "Electronic organ": 156,
        "Hammond organ": 157,
        "Synthesizer": 158,
        "Drum kit": 162,
        "Drum": 164,
        "Snare drum": 165,
        "Bass drum": 168,
        "Cymbal": 171,
        "Hi-hat": 172,
        "Mallet percussion": 179,
        "Marimba, xylophone": 180,
        "Glockenspiel": 181,
        "Vibraphone": 182,
        "Trumpet": 187,
        "Trombone": 188,
        "Violin, fiddle": 191,
        "Cello": 193,
        "Double bass": 194,
        "Flute": 196,
        "Saxophone": 197,
        "Clarinet": 198,
        "Accordion": 209,
        "Vocal music": 254,
        "A capella": 255,
    }
)
"""Where a class is among AudioSet's 527, by its `class_labels_indices.csv`."""
RATE_HZ: Final = 32_000
FEATURES: Final = 384
_FFT: Final = 1024
_WINDOW: Final = 800
_HOP: Final = 320
_MELS: Final = 128
_HIGH_HZ: Final = 15_000.0


class _Block(NamedTuple):
    kernel: int
    inner: int
    width: int
    squeezes: bool
    hard_swish: bool
    stride: int


_BLOCKS: Final = (
    _Block(3, 8, 8, squeezes=False, hard_swish=False, stride=1),
    _Block(3, 24, 16, squeezes=False, hard_swish=False, stride=2),
    _Block(3, 32, 16, squeezes=False, hard_swish=False, stride=1),
    _Block(5, 32, 16, squeezes=True, hard_swish=False, stride=2),
    _Block(5, 48, 16, squeezes=True, hard_swish=False, stride=1),
    _Block(5, 48, 16, squeezes=True, hard_swish=False, stride=1),
    _Block(3, 96, 32, squeezes=False, hard_swish=True, stride=2),
    _Block(3, 80, 32, squeezes=False, hard_swish=True, stride=1),
    _Block(3, 72, 32, squeezes=False, hard_swish=True, stride=1),
    _Block(3, 72, 32, squeezes=False, hard_swish=True, stride=1),
    _Block(3, 192, 48, squeezes=True, hard_swish=True, stride=1),
    _Block(3, 272, 48, squeezes=True, hard_swish=True, stride=1),
    _Block(5, 272, 64, squeezes=True, hard_swish=True, stride=2),
    _Block(5, 384, 64, squeezes=True, hard_swish=True, stride=1),
    _Block(5, 384, 64, squeezes=True, hard_swish=True, stride=1),
)


class EfficientATFeatures(nn.Module):
    """The tagger without its classifier: means of its features over the window and all bands.

    Shape: `[batch, 2, 132300]` at 44.1 kHz -> `[batch, 384]`
    """

    def __init__(self) -> None:
        super().__init__()
        self.resampled = Resampled(RATE_HZ)
        self.log_mel = KaldiLogMel()
        self.features = EfficientATNetwork().features

    def forward(self, audio: Tensor) -> Tensor:
        """Features of a batch of windows."""
        features: Tensor = self.features(self.log_mel(self.resampled(audio.mean(dim=1))))
        return features.mean(dim=(2, 3))

    def remove_head(self) -> int:
        """It has no head; return how many features it gives."""
        return FEATURES


class KaldiLogMel(nn.Module):
    """Pre-emphasis, power in 128 Kaldi mel bands, logarithm. Shape: `[batch, samples]` -> `[batch, 1, 128, frames]`."""

    def __init__(self) -> None:
        super().__init__()
        bands, _ = torchaudio.compliance.kaldi.get_mel_banks(_MELS, _FFT, RATE_HZ, 0.0, _HIGH_HZ, 100.0, -500.0, 1.0)
        self.register_buffer("bands", nn.functional.pad(bands, (0, 1)), persistent=False)
        self.register_buffer("window", torch.hann_window(_WINDOW, periodic=False), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Logarithmic mel power of a batch of windows at 32 kHz."""
        emphasised = audio[:, 1:] - 0.97 * audio[:, :-1]
        window = self.get_buffer("window")
        spectrum = torch.stft(emphasised, _FFT, _HOP, _WINDOW, window, center=True, return_complex=True)
        power = spectrum.real.square() + spectrum.imag.square()
        log_mel = torch.log(self.get_buffer("bands") @ power + 1e-5)
        return ((log_mel + 4.5) / 5.0)[:, None]


class EfficientATNetwork(nn.Module):
    """Named as in the published weights. Shape: `[batch, 1, 128, frames]` -> `[batch, 527]`."""

    def __init__(self) -> None:
        super().__init__()
        widths = [8, *(block.width for block in _BLOCKS)]
        blocks = [_InvertedResidual(channels, block) for channels, block in zip(widths[:-1], _BLOCKS, strict=True)]
        self.features = nn.Sequential(
            _Convolution(1, 8, 3, stride=2, activation=nn.Hardswish()),
            *blocks,
            _Convolution(64, FEATURES, 1, activation=nn.Hardswish()),
        )
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(FEATURES, 512),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(512, CLASSES),
        )

    def forward(self, log_mel: Tensor) -> Tensor:
        """Logits of a batch of windows."""
        logits: Tensor = self.classifier(self.features(log_mel))
        return logits


def read_weights(path: Path) -> EfficientATNetwork:
    """The tagger of a file of published weights, a state dict.

    Raises:
        DataError: the file does not hold them.
    """
    network = EfficientATNetwork().eval()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, *DAMAGED) as error:
        raise DataError(f"{path} does not hold the weights of EfficientAT mn04: {reason(error)}") from error
    return network


class _InvertedResidual(nn.Module):
    def __init__(self, channels: int, block: _Block) -> None:
        super().__init__()
        activation = nn.Hardswish() if block.hard_swish else nn.ReLU(inplace=True)
        inner = block.inner
        layers: list[nn.Module] = []
        if inner != channels:
            layers.append(_Convolution(channels, inner, 1, activation=activation))
        layers.append(
            _Convolution(inner, inner, block.kernel, stride=block.stride, groups=inner, activation=activation)
        )
        if block.squeezes:
            layers.append(_ConcurrentSqueeze(inner))
        layers.append(_Convolution(inner, block.width, 1, activation=None))
        self.block = nn.Sequential(*layers)
        self.adds = block.stride == 1 and channels == block.width

    def forward(self, features: Tensor) -> Tensor:
        filtered: Tensor = self.block(features)
        return filtered + features if self.adds else filtered


class _ConcurrentSqueeze(nn.Module):
    """Squeeze-and-excitation over channels, in the wrapper that the published weights name."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([_Squeeze(channels)])

    def forward(self, features: Tensor) -> Tensor:
        scaled: Tensor = self.conc_se_layers[0](features)
        return scaled


class _Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = (channels // 4 + 4) // 8 * 8
        squeezed = max(8, squeezed + 8 if squeezed < 0.9 * channels / 4 else squeezed)
        self.fc1 = nn.Linear(channels, squeezed)
        self.fc2 = nn.Linear(squeezed, channels)

    def forward(self, features: Tensor) -> Tensor:
        squeezed = torch.relu(self.fc1(features.mean(dim=(2, 3))))
        return features * torch.sigmoid(self.fc2(squeezed))[:, :, None, None]


class _Convolution(nn.Sequential):
    """A convolution, batch normalisation by the statistics that it has, and an activation if one is given.

    The statistics are those of AudioSet and stay: those of a thousand steps of other sounds would be worse ones. So the
    normalisation is part of the convolution's weights, which takes a fifth less of a step.
    """

    def __init__(
        self, channels: int, width: int, kernel: int, *, activation: nn.Module | None, stride: int = 1, groups: int = 1
    ) -> None:
        convolution = nn.Conv2d(channels, width, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        norm = nn.BatchNorm2d(width, eps=1e-3)
        super().__init__(convolution, norm, activation or nn.Identity())
        self._parts: Final = (convolution, norm)

    def forward(self, features: Tensor) -> Tensor:
        convolution, norm = self._parts
        scale = norm.weight * torch.rsqrt(norm.get_buffer("running_var") + norm.eps)
        filtered = nn.functional.conv2d(
            features,
            convolution.weight * scale[:, None, None, None],
            norm.bias - norm.get_buffer("running_mean") * scale,
            convolution.stride,
            convolution.padding,
            groups=convolution.groups,
        )
        activated: Tensor = self[2](filtered)
        return activated
