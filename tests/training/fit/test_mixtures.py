import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tests.training.windows.made_windows import made_windows
from whoplays.models.labels import CORE
from whoplays.models.spectrogram import BANDS, FRAMES
from whoplays.training.fit import mixtures as module
from whoplays.training.fit.mixtures import UNKNOWN, MixtureBatch, Mixtures
from whoplays.training.networks.frame_tagger import STEP_FRAMES, STEPS

EVERYONE: list[str | None] = [*CORE, None]
EACH = BANDS // len(CORE)
"""Mel bands in which each label sounds."""


def joined(mixtures: Mixtures) -> MixtureBatch:
    return MixtureBatch(*(torch.cat(column) for column in zip(*mixtures, strict=True)))


def test_mixtures_are_drawn_by_number() -> None:
    first, again, other = (joined(Mixtures(made_windows(EVERYONE), 32, 16, 0.25, (1, k))).power for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(Mixtures(made_windows(EVERYONE), 40, 16, 0.25, (1,))) == 2


def test_mixtures_are_of_none_to_four_instruments() -> None:
    batch = joined(Mixtures(made_windows(EVERYONE), 256, 64, 0.0, (1,)))
    assert (batch.power.shape, batch.power.dtype) == ((256, FRAMES, BANDS), torch.float32)
    assert batch.power.isfinite().all()
    assert (batch.power >= 0).all()
    assert (batch.target.shape, batch.frame_target.shape) == ((256, len(CORE)), (256, STEPS, len(CORE)))
    assert batch.target.dtype == batch.frame_target.dtype == torch.float32
    for target in (batch.target, batch.frame_target):
        assert set(target.flatten().tolist()) == {UNKNOWN, 0.0, 1.0}
    assert set((batch.target == 1).sum(dim=1).tolist()) == {0, 1, 2, 3, 4}


def test_who_plays_sounds_in_the_mixture_and_in_its_steps() -> None:
    """Each label sounds in mel bands of its own here, so targets can be read off the power.

    Save where a low-pass has taken the highest label's bands away.
    """
    batch = joined(Mixtures(made_windows(list(CORE)), 128, 16, 0.0, (1,)))
    bands = batch.power.reshape(-1, FRAMES, len(CORE), EACH).sum(dim=3)
    loud = bands > 1e-4 * bands.amax(dim=(1, 2), keepdim=True)
    assert loud.any(dim=1)[batch.target == 1].float().mean() > 0.9
    for step in range(STEPS):
        start, end = max(0, (2 * step - 1) * STEP_FRAMES // 2), min(FRAMES, (2 * step + 1) * STEP_FRAMES // 2)
        heard = loud[:, start:end].any(dim=1)
        assert heard[batch.frame_target[:, step] == 1].float().mean() > 0.85


def test_some_players_enter_or_leave_within_the_window() -> None:
    """What one step says differs from what another says, and the window says that both play."""
    batch = joined(Mixtures(made_windows(list(CORE)), 256, 64, 0.0, (1,)))
    plays = (batch.frame_target == 1).any(dim=1)
    absent = (batch.frame_target == 0).any(dim=1)
    changing = plays & absent
    assert 0.2 < (changing.any(dim=1)).float().mean() < 0.8
    assert (batch.target[plays] != 0).float().mean() > 0.95


def test_an_instrument_that_is_not_there_does_not_play() -> None:
    batch = joined(Mixtures(made_windows(["piano", "violin"]), 64, 64, 0.0, (1,)))
    assert (batch.target[:, [CORE.index("acoustic guitar"), CORE.index("trumpet")]] == 0).all()
    assert (batch.target == 1).any()


def test_a_prepared_mixture_is_used_as_it_is_and_never_mixed_again() -> None:
    """The window called a mix holds all four; a mixture of it would hold more than its target says.

    Who plays when is not known of it.
    """
    windows = made_windows([*EVERYONE, "acoustic guitar"], kinds=["solo"] * 5 + ["mix"])
    assert windows.solos("acoustic guitar").tolist() == [0]
    assert windows.solos(None).tolist() == [4]
    windows.windows.targets[5] = True
    batch = joined(Mixtures(windows, 64, 32, 0.5, (1,)))
    for start in (16, 48):
        assert (batch.target[start : start + 16] == 1).all()
        assert (batch.frame_target[start : start + 16] == UNKNOWN).all()
    assert (batch.frame_target[:16] != UNKNOWN).any()


def test_without_instruments_and_other_sounds_there_is_noise() -> None:
    batch = joined(Mixtures(made_windows(["piano"]), 128, 64, 0.0, (1,)))
    nobody = (batch.target == 0).all(dim=1)
    assert nobody.any()
    assert (batch.power[nobody].mean(dim=(1, 2)) > 0).all()


def sounding(*spans: tuple[int, int]) -> NDArray[np.bool_]:
    solo = np.full((1, FRAMES, BANDS), 1e-6, np.float32)
    for start, end in spans:
        solo[:, start:end] = 1.0
    found: NDArray[np.bool_] = module._sounding(solo)[0]
    return found


def test_short_pauses_are_playing_and_long_ones_are_not() -> None:
    assert sounding((0, 100), (120, FRAMES)).all()
    found = sounding((0, 50), (150, FRAMES))
    assert found[:50].all()
    assert found[150:].all()
    assert not found[80:120].any()


def test_steps_are_centred_on_every_32nd_frame() -> None:
    frames = np.zeros((1, FRAMES), np.bool_)
    frames[:, 16:48] = True
    shares = module._by_step(frames)[0]
    assert shares.tolist() == [0.0, 1.0, *[0.0] * (STEPS - 2)]


@pytest.mark.parametrize(("share", "target"), [(0.0, 0.0), (0.09, 0.0), (0.2, UNKNOWN), (0.4, 1.0), (1.0, 1.0)])
def test_between_playing_and_not_the_target_is_unknown(share: float, target: float) -> None:
    assert module._targets(np.array([share]), (0.4, 0.1)).tolist() == [target]
