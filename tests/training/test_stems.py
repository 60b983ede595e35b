import numpy as np
import pytest
import torch

from models.errors import DataError
from models.labels import CORE, NAMES
from tests.training.make_clips import clip
from training.band import Bands
from training.clip import Clip
from training.library import Library
from training.networks.log_mel import FRAMES, MELS, MelPower
from training.stems import OTHER, StemBank, Stems, prepare

LABELS = tuple(NAMES)
COUNT = 24


@pytest.fixture(scope="module")
def stems(library: Library, clips: list[Clip]) -> Stems:
    return Stems(library, clips, LABELS, COUNT, seed=1)


@pytest.fixture(scope="module")
def bank(stems: Stems) -> StemBank:
    return prepare(stems)


def test_a_stem_is_three_seconds_at_a_level(stems: Stems) -> None:
    for k in range(COUNT):
        audio = stems[k].audio
        assert audio.shape == (132_300,)
        assert audio.dtype == np.float32
        assert np.isfinite(audio).all()
        power = np.square(audio).reshape(60, -1).mean(axis=1)
        assert power[power > power.max() * 1e-3].mean() == pytest.approx(1, rel=0.01)


def test_the_same_seed_gives_the_same_stems(stems: Stems, library: Library, clips: list[Clip]) -> None:
    again, other = (Stems(library, clips, LABELS, COUNT, seed) for seed in (1, 2))
    for k in range(4):
        np.testing.assert_array_equal(stems[k].audio, again[k].audio)
    assert not np.array_equal(stems[0].audio, other[0].audio)


def test_every_instrument_and_other_sounds_are_drawn(bank: StemBank) -> None:
    assert set(bank.labels) == {*CORE, OTHER}
    assert bank.log_power.shape == (COUNT, FRAMES, MELS)
    assert np.isfinite(bank.log_power).all()


def test_several_instruments_at_once_make_no_stem(library: Library) -> None:
    with pytest.raises(DataError, match="no recording is of a single instrument"):
        Stems(library, [clip("a", ["pia", "vio"]), clip("b", ["lute"])], LABELS, 1, seed=1)


def test_power_adds_as_audio_does(stems: Stems) -> None:
    """Mixing mel power stands in for mixing audio: right to within a decibel where anything is heard."""
    first, second = (torch.from_numpy(stems[k].audio).expand(1, 2, -1) for k in (0, 1))
    power = MelPower()
    mixed = power(first + second).mean(dim=1)
    added = (power(first) + power(second)).mean(dim=1)
    heard = mixed > mixed.max() * 1e-4
    decibels = 10 * torch.log10(added / mixed)[heard]
    assert decibels.abs().median().item() < 1
    assert abs(decibels.mean().item()) < 1


def test_bands_are_drawn_by_number(bank: StemBank) -> None:
    first, again, other = ([power for power, _ in Bands(bank, LABELS, 32, 16, (1, k))] for k in (0, 0, 1))
    assert len(first) == len(Bands(bank, LABELS, 32, 16, (1, 0))) == 2
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_bands_are_of_none_to_three_of_the_instruments_there_are(bank: StemBank) -> None:
    batches = list(Bands(bank, LABELS, 256, 64, (1,)))
    power, targets = (torch.cat([batch[part] for batch in batches]) for part in (0, 1))
    assert (power.shape, power.dtype, targets.dtype) == ((256, FRAMES, MELS), torch.float32, torch.float32)
    assert power.isfinite().all()
    assert (power >= 0).all()
    assert set(targets.sum(dim=1).tolist()) == {0.0, 1.0, 2.0, 3.0}
    absent = [LABELS.index(label) for label in LABELS if label not in CORE]
    assert targets[:, absent].sum() == 0
    assert (targets.sum(dim=0)[[LABELS.index(label) for label in CORE]] > 20).all()


def test_who_plays_is_heard_in_the_band() -> None:
    """Each label sounds in a mel band of its own here, so the target can be read off the power."""
    labels = CORE
    log_power = np.full((len(labels), FRAMES, MELS), -18, np.float16)
    for k in range(len(labels)):
        log_power[k, :, 16 * k : 16 * k + 16] = 0
    for power, targets in Bands(StemBank(log_power, labels), labels, 64, 16, (1,)):
        total = power.sum(dim=(1, 2), keepdim=True) + 1e-12
        loud = (power / total).reshape(-1, FRAMES, len(labels), 16).sum(dim=3).amax(dim=1) > 1e-4
        assert (loud | (targets == 0)).all()


def test_without_other_sounds_there_is_no_background(bank: StemBank) -> None:
    alone = StemBank(bank.log_power[:2], ("pia", "vio"))
    for power, targets in Bands(alone, LABELS, 64, 64, (1,)):
        assert power.isfinite().all()
        assert set(targets.sum(dim=1).tolist()) <= {0.0, 1.0, 2.0}
