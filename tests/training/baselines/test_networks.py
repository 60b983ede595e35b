import numpy as np
import pytest
import torch
from torch import nn

from whoplays.models.signal import WINDOW_SAMPLES
from whoplays.training import recipes
from whoplays.training.baselines.networks import RawCNN
from whoplays.training.fit.tagger import Tagger


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return 0.1 * torch.randn(1, 2, WINDOW_SAMPLES, generator=torch.Generator().manual_seed(1))


def test_the_raw_network_has_the_original_projects_layers() -> None:
    network = RawCNN(4)
    shapes = [(m.in_channels, m.out_channels, *m.kernel_size) for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [
        (2, 64, 1, 11),
        (64, 64, 1, 9),
        (64, 64, 1, 7),
        (64, 32, 1, 5),
        (32, 16, 1, 5),
        (16, 2, 1, 5),
    ]
    assert all(m.stride == (1, 1) and m.padding == (0, 0) for m in network.modules() if isinstance(m, nn.Conv2d))
    pools = [m.kernel_size for m in network.modules() if isinstance(m, nn.MaxPool2d)]
    assert pools == [(1, 2), (1, 2), (1, 4), (1, 4), (1, 4), (1, 4)]
    assert (network.head.in_features, network.head.out_features, network.dropout.p) == (254, 4, 0.3)
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(81_000, rel=0.02)


def test_the_raw_network_answers_the_same_at_any_level(audio: torch.Tensor) -> None:
    network = RawCNN(4).eval()
    with torch.inference_mode():
        loud, quiet, silent = network(torch.cat([audio, audio / 100, 0 * audio]))
    torch.testing.assert_close(loud, quiet, rtol=1e-4, atol=1e-5)
    assert silent.isfinite().all()


def test_the_raw_network_learns_from_a_batch_of_two(audio: torch.Tensor) -> None:
    """One step, every weight; its training in full takes too long here."""
    torch.manual_seed(20)
    tagger = Tagger(recipes.find("solo-rawcnn"))
    loss = tagger.loss(tagger.network(torch.cat([audio, audio.flip(2)])), torch.eye(4)[:2])
    gradients = torch.autograd.grad(loss, list(tagger.network.parameters()))
    assert loss.item() == pytest.approx(np.log(4), rel=0.5)
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)
