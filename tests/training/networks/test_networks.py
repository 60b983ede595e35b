import pytest
import torch
from torch import nn
from whoplays.training.networks.log_mel import FFT, FRAMES, HOP, MELS, MelPower, RealFourier
from whoplays.training.networks.mel_cnn import MelCNN

from whoplays.export.graph import count_macs
from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training import recipes
from whoplays.training.fit.tagger import Tagger

HOP_AT_44100_HZ = 2 * HOP


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    """One window of quiet noise and a tone, different on either side."""
    time_s = torch.arange(WINDOW_SAMPLES) / 44_100
    noise = 0.01 * torch.randn(2, WINDOW_SAMPLES, generator=torch.Generator().manual_seed(1))
    return (noise + 0.1 * torch.sin(2 * torch.pi * 1000 * time_s))[None]


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_fourier_transform_is_that_of_torch() -> None:
    fourier = RealFourier()
    frames = torch.randn(2, 3, FFT, generator=torch.Generator().manual_seed(1))
    wanted = torch.fft.fft(frames.double()).abs().square()[..., fourier.bins()]
    difference = (fourier(frames) - wanted).abs().max() / wanted.max()
    assert difference < 1e-5


def test_every_bin_that_a_band_reaches_counts_once() -> None:
    fourier = RealFourier()
    reached = torch.ones(513, 1)
    reached[497:] = 0
    mirrored = torch.minimum(fourier.bins(), FFT - fourier.bins())
    weights = torch.zeros(513).index_add(0, mirrored, fourier.reorder(reached)[:, 0])
    torch.testing.assert_close(weights, reached[:, 0])


def test_a_band_that_reaches_bins_left_out_is_refused() -> None:
    with pytest.raises(ValueError, match="a band reaches bins that the transform leaves out"):
        RealFourier().reorder(torch.ones(513, 1))


def test_a_full_scale_tone_is_near_full_scale_in_its_band_only() -> None:
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(WINDOW_SAMPLES) / 44_100).expand(1, 2, -1)
    power = MelPower()(tone)
    assert power.shape == (1, FRAMES, MELS)
    middle = power[0, FRAMES // 2]
    assert 0.3 < middle.max().item() < 2
    # 1000 Hz is 1000 mel; the bands share 62 to 2880 mel evenly.
    assert abs(int(middle.argmax()) - round(64 * (1000 - 62) / (2880 - 62))) <= 2
    assert (middle > 1e-3).sum().item() <= 6


def test_a_frame_does_not_depend_on_where_it_stands(audio: torch.Tensor) -> None:
    power = MelPower()
    shifted = torch.roll(audio, -10 * HOP_AT_44100_HZ, dims=2)
    torch.testing.assert_close(power(shifted)[:, :-10], power(audio)[:, 10:], rtol=1e-3, atol=1e-9)


def test_channels_are_heard_as_their_mean(audio: torch.Tensor) -> None:
    power = MelPower()
    mono = audio.mean(dim=1, keepdim=True).expand(-1, 2, -1)
    torch.testing.assert_close(power(audio), power(mono), rtol=1e-3, atol=1e-9)


def test_the_default_network_is_small() -> None:
    tagger = Tagger(recipes.find("band-melcnn")).eval()
    assert parameters(tagger.network) < 1_000_000
    assert 0 < count_macs(tagger) - count_macs(MelPower()) < 40_000_000


def test_the_default_network_hears_silence_and_clipping(audio: torch.Tensor) -> None:
    network = MelCNN(11).eval()
    with torch.inference_mode():
        assert network(torch.cat([0 * audio, audio, audio.sign()])).isfinite().all()


def test_blocks_that_begin_as_nothing_learn(audio: torch.Tensor) -> None:
    network = MelCNN(11).train()
    network(torch.cat([audio, audio.flip(2)])).sum().backward()
    moved = {name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()}
    begun = {name for name, weight in network.named_parameters() if name.endswith("body.7.weight") and not weight.any()}
    assert len(begun) == 5
    assert begun <= moved
