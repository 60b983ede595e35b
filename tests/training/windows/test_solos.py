from collections import Counter

import numpy as np
import pytest
import torch

from tests.training.data.make_clips import clip
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE, NAMES
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.networks.mel_power import MelPower
from whoplays.training.windows.solos import OTHER, Solo, SoloGenerator, shares

LABELS = NAMES


@pytest.fixture(scope="module")
def solos(library: Library, clips: list[Clip]) -> SoloGenerator:
    return SoloGenerator(library, [clips], LABELS)


@pytest.fixture(scope="module")
def drawn(solos: SoloGenerator) -> list[Solo]:
    rng = np.random.default_rng(1)
    return [solos.draw(rng) for _ in range(24)]


def test_a_solo_is_three_seconds_at_a_level(drawn: list[Solo]) -> None:
    for solo in drawn:
        assert solo.audio.shape == (132_300,)
        assert solo.audio.dtype == np.float32
        assert np.isfinite(solo.audio).all()
        power = np.square(solo.audio).reshape(60, -1).mean(axis=1)
        assert power[power > power.max() * 1e-3].mean() == pytest.approx(1, rel=0.01)


def test_the_same_seed_gives_the_same_solo(solos: SoloGenerator) -> None:
    first, again, other = (solos.draw(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.audio, again.audio)
    assert (first.label, first.group) == (again.label, again.group)
    assert not np.array_equal(first.audio, other.audio)


def test_every_instrument_and_other_sounds_are_drawn(drawn: list[Solo]) -> None:
    assert {solo.label for solo in drawn} == {*CORE, OTHER}


def test_a_solo_says_whose_recordings_it_is_made_of(drawn: list[Solo], clips: list[Clip]) -> None:
    label_of = {member.group: next(iter(member.labels), OTHER) for member in clips if len(member.labels) < 2}
    assert all(label_of[solo.group] == solo.label for solo in drawn)


def test_each_corpus_counts_alike(library: Library, clips: list[Clip]) -> None:
    """A corpus of one violin is heard as often as one of everything that plays."""
    violins = [member for member in clips if member.labels == {"violin"}]
    lone, rest = violins[:1], [member for member in violins if member.group != violins[0].group]
    solos = SoloGenerator(library, [lone, rest], LABELS)
    rng = np.random.default_rng(3)
    counts = Counter(solos.draw(rng).group == lone[0].group for _ in range(60))
    assert 15 < counts[True] < 45


def test_core_labels_are_drawn_more_often() -> None:
    weights = shares(LABELS)
    assert weights.sum() == pytest.approx(1)
    assert weights[LABELS.index("violin")] == pytest.approx(1.5 * weights[LABELS.index("cello")])


def test_several_instruments_at_once_make_no_solo(library: Library) -> None:
    with pytest.raises(DataError, match="no recording is of a single instrument"):
        SoloGenerator(library, [[clip("a", ["piano", "violin"]), clip("b", ["lute"])]], LABELS)


def test_a_measured_room_is_played_in(library: Library, clips: list[Clip]) -> None:
    """With an echo of half a second as the only room, some solos that differ in nothing else have it."""
    room = np.zeros(22_050, np.float32)
    room[[0, -1]] = 1.0
    dry, wet = (SoloGenerator(library, [clips], LABELS, rooms) for rooms in ([], [room]))
    pairs = [[solos.draw(np.random.default_rng(seed)).audio for solos in (dry, wet)] for seed in range(12)]
    assert any(not np.array_equal(one, two) for one, two in pairs)


def test_power_adds_as_audio_does(drawn: list[Solo]) -> None:
    """Mixing mel power stands in for mixing audio: right to within a decibel where anything is heard."""
    first, second = (torch.from_numpy(drawn[k].audio).expand(1, 2, -1) for k in (0, 1))
    power = MelPower()
    mixed = power(first + second).mean(dim=1)
    added = (power(first) + power(second)).mean(dim=1)
    heard = mixed > mixed.max() * 1e-4
    decibels = 10 * torch.log10(added / mixed)[heard]
    assert decibels.abs().median().item() < 1
    assert abs(decibels.mean().item()) < 1
