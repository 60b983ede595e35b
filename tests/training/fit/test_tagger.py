"""What training makes small: what is not known has no loss, and what is kept is taught by the network as it was."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.training.made_tagger import write_tagger
from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training import recipes
from whoplays.training.fit.mixtures import UNKNOWN, MixtureBatch
from whoplays.training.fit.tagger import Tagger, _known_loss
from whoplays.training.networks.frame_tagger import STEPS, FrameTagger
from whoplays.training.networks.mel_power import log_mel


def test_what_is_not_known_has_no_loss() -> None:
    logits = torch.tensor([[2.0, -1.0, 30.0]], requires_grad=True)
    loss = _known_loss(logits, torch.tensor([[1.0, 0.0, UNKNOWN]]))
    wanted = binary_cross_entropy_with_logits(logits[:, :2], torch.tensor([[1.0, 0.0]]))
    assert loss.item() == pytest.approx(wanted.item())
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[0, 2] == 0
    assert _known_loss(logits, torch.full((1, 3), UNKNOWN)).item() == 0


def test_what_is_kept_is_taught_by_the_network_as_it_was() -> None:
    """Its own probabilities are the targets of these labels; those of others stay as they are."""
    recipe = recipes.find("fine-tune")
    tagger = Tagger(recipe)
    before = set(tagger.state_dict())
    tagger.keep({recipe.labels[1]})
    assert set(tagger.state_dict()) == before
    power = torch.rand(2, FRAMES, BANDS)
    nothing = torch.zeros(2, len(recipe.labels)), torch.zeros(2, STEPS, len(recipe.labels))
    assert tagger._teacher is not None
    taught = tagger._teacher.taught(MixtureBatch(power, *nothing))
    network = tagger.network.eval()
    assert isinstance(network, FrameTagger)
    with torch.inference_mode():
        said = network.classify(power)
    torch.testing.assert_close(taught.target[:, 1], torch.sigmoid(said.window[:, 1]))
    torch.testing.assert_close(taught.frame_target[..., 1], torch.sigmoid(said.frames[..., 1]))
    assert not taught.target[:, [0, 2]].any()
    assert not taught.target.requires_grad


def test_what_a_published_tagger_answers_is_retained(tmp_path: Path) -> None:
    """No divergence while the trunk is the tagger's own; some, which the trunk learns from, once it is another."""
    weights = write_tagger(tmp_path / "tagger.pt")
    tagger = Tagger(recipes.find("band-mobilenet"))
    before = set(tagger.state_dict())
    tagger.retain(weights)
    assert set(tagger.state_dict()) == before
    network = tagger.network
    assert isinstance(network, FrameTagger)
    assert tagger._tagger is not None
    power = torch.rand(2, FRAMES, BANDS)
    network.begin_from(weights, tagger.recipe.labels)
    assert tagger._tagger.divergence(power, network.embed(log_mel(power))).item() == pytest.approx(0, abs=1e-3)
    first = next(network.features.parameters())
    with torch.no_grad():
        first.add_(0.1)
    diverged = tagger._tagger.divergence(power, network.embed(log_mel(power)))
    assert diverged.item() > 0.01
    diverged.backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    assert first.grad.abs().sum() > 0
