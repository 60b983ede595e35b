"""The front end against torch's transform and against the one that it stands for; the network begun from a tagger."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchaudio.functional import resample

from tests.training.made_tagger import write_tagger
from whoplays.export.graph import count_macs
from whoplays.models.errors import DataError
from whoplays.models.labels import KNOWN, NAMES
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.models.spectrogram import BANDS, FRAME_SAMPLES, FRAMES, HOP_SAMPLES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.networks.efficientat import CLASS_INDICES, RATE_HZ, KaldiLogMel
from whoplays.training.networks.frame_tagger import FIRST_SAMPLE, STEP_SAMPLES, STEPS, FrameTagger
from whoplays.training.networks.mel_power import MelPower, RealFourier, log_mel


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    """One window of quiet noise and a tone, different on either side."""
    time_s = torch.arange(WINDOW_SAMPLES) / SAMPLE_RATE_HZ
    noise = 0.01 * torch.randn(2, WINDOW_SAMPLES, generator=torch.Generator().manual_seed(1))
    return (noise + 0.1 * torch.sin(2 * torch.pi * 1000 * time_s))[None]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagger(tmp_path_factory.mktemp("weights") / "tagger.pt")


@pytest.mark.parametrize(("first", "second", "samples"), [(48, 30, FRAME_SAMPLES), (32, 32, 1024), (4, 3, 12)])
def test_the_fourier_transform_is_that_of_torch(first: int, second: int, samples: int) -> None:
    fourier = RealFourier(first, second, samples, 0.3)
    frames = torch.randn(2, 3, fourier.samples, generator=torch.Generator().manual_seed(1))
    wanted = torch.fft.fft(frames.double(), n=first * second).abs().square()[..., fourier.bins]
    difference = (fourier(frames) - wanted).abs().max() / wanted.max()
    assert difference < 1e-5


def test_every_bin_that_a_band_reaches_counts_once() -> None:
    fourier = RealFourier(32, 32, 1024, 0.47)
    reached = torch.ones(513, 1)
    reached[497:] = 0
    mirrored = torch.minimum(fourier.bins, 1024 - fourier.bins)
    weights = torch.zeros(513).index_add(0, mirrored, fourier.reorder(reached)[:, 0])
    torch.testing.assert_close(weights, reached[:, 0])


def test_a_band_that_reaches_bins_left_out_is_refused() -> None:
    with pytest.raises(ValueError, match="a band reaches bins that the transform leaves out"):
        RealFourier(32, 32, 1024, 0.4).reorder(torch.ones(513, 1))


def test_the_front_end_is_that_of_the_tagger(clips: list[Clip], library: Library) -> None:
    """Straight from 44.1 kHz it finds what the tagger's own finds after resampling: frames are 10 ms apart in both.

    Its first frame lies wholly inside the window, so that its middle is 12.5 ms after the window's start, where the
    tagger's first has its own.
    """
    windows = torch.from_numpy(np.stack([library.window(clip, 20_000) for clip in clips[::4]]))
    power = MelPower()(windows)
    assert power.shape == (len(windows), FRAMES, BANDS)
    assert (power >= 0).all()
    mono = resample(windows.mean(dim=1), SAMPLE_RATE_HZ, RATE_HZ)
    every = KaldiLogMel()(mono)[:, 0].transpose(1, 2)
    theirs = 0.75 * every[:, 1 : FRAMES + 1] + 0.25 * every[:, 2 : FRAMES + 2]
    mine = log_mel(power)
    sounding = theirs > theirs.amax(dim=(1, 2), keepdim=True) - 1.0
    apart = (mine - theirs)[sounding]
    assert sounding.sum() > 1000
    assert apart.abs().median() < 0.05
    assert apart.mean().abs() < 0.03


def test_a_frame_does_not_depend_on_where_it_stands(audio: torch.Tensor) -> None:
    power = MelPower()
    shifted = torch.roll(audio, -10 * HOP_SAMPLES, dims=2)
    torch.testing.assert_close(power(shifted)[:, :-11], power(audio)[:, 10:-1], rtol=1e-3, atol=1e-7)


def test_channels_are_taken_as_their_mean(audio: torch.Tensor) -> None:
    power = MelPower()
    mono = audio.mean(dim=1, keepdim=True).expand(-1, 2, -1)
    torch.testing.assert_close(power(audio), power(mono), rtol=1e-3, atol=1e-9)


def test_the_default_network_is_small_and_finite(audio: torch.Tensor) -> None:
    network = FrameTagger(len(NAMES)).eval()
    assert sum(parameter.numel() for parameter in network.parameters()) < 1_500_000
    assert 0 < count_macs(network) - count_macs(network.power) < 40_000_000
    with torch.inference_mode():
        logits = network(torch.cat([0 * audio, audio, audio.sign()]))
    assert (logits.window.shape, logits.frames.shape) == ((3, len(NAMES)), (3, STEPS, len(NAMES)))
    assert logits.window.isfinite().all()
    assert logits.frames.isfinite().all()
    assert FIRST_SAMPLE <= 0
    assert FIRST_SAMPLE + STEPS * STEP_SAMPLES >= WINDOW_SAMPLES - STEP_SAMPLES


def test_batch_norm_statistics_stay_as_they_are(audio: torch.Tensor) -> None:
    network = FrameTagger(2).train()
    before = {name: value.clone() for name, value in network.named_buffers()}
    network(audio.expand(2, -1, -1))
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())
    assert all(value.requires_grad for value in network.parameters())


def test_it_begins_from_a_taggers_trunk_and_its_rows_of_each_label(tagger: Path) -> None:
    """A label of several classes begins as their mean; one that is not known, as that of all others' classes."""
    labels = ("voice", "theremin", "piano")
    network = FrameTagger(len(labels))
    network.begin_from(tagger, labels)
    published = torch.load(tagger)
    own = network.state_dict()
    assert all(torch.equal(value, published[name]) for name, value in own.items() if name.startswith("features."))
    classes = [CLASS_INDICES[name] for name in KNOWN[NAMES.index("voice")].audioset]
    voice = published["classifier.5.weight"][classes]
    others = published["classifier.5.weight"][[*classes, CLASS_INDICES["Piano"]]]
    for head in ("window_head", "frame_head"):
        assert torch.equal(own[f"{head}.0.weight"], published["classifier.2.weight"])
        torch.testing.assert_close(own[f"{head}.3.weight"][0], voice.mean(dim=0))
        assert torch.equal(own[f"{head}.3.bias"][2], published["classifier.5.bias"][CLASS_INDICES["Piano"]])
    torch.testing.assert_close(own["window_head.3.weight"][1], others.mean(dim=0))


def test_what_is_no_tagger_is_nothing_to_begin_from(tmp_path: Path) -> None:
    (tmp_path / "tagger.pt").write_bytes(b"no weights")
    with pytest.raises(DataError, match="does not hold the weights of EfficientAT"):
        FrameTagger(2).begin_from(tmp_path / "tagger.pt", ("piano", "voice"))
