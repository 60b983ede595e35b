import numpy as np
import torch
from whoplays.training.networks.log_mel import FRAMES, MELS

from tests.training.windows.made_windows import made_windows
from whoplays.models.labels import CORE
from whoplays.training.fit.mixtures import MixtureBatch, Mixtures

EVERYONE: list[str | None] = [*CORE, None]


def joined(mixtures: Mixtures) -> MixtureBatch:
    return MixtureBatch(*(torch.cat(column) for column in zip(*mixtures, strict=True)))


def test_mixtures_are_drawn_by_number() -> None:
    first, again, other = (joined(Mixtures(made_windows(EVERYONE), 32, 16, 0.25, (1, k))).power for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(Mixtures(made_windows(EVERYONE), 40, 16, 0.25, (1,))) == 2


def test_mixtures_are_of_none_to_four_instruments() -> None:
    batch = joined(Mixtures(made_windows(EVERYONE), 512, 64, 0.0, (1,)))
    assert (batch.power.shape, batch.power.dtype) == ((512, FRAMES, MELS), torch.float32)
    assert batch.power.isfinite().all()
    assert (batch.power >= 0).all()
    assert batch.target.dtype == torch.float32
    assert set(batch.target.sum(dim=1).tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_who_plays_sounds_in_the_mixture() -> None:
    """Each label sounds in mel bands of its own here, so the target can be read off the power.

    Save where a low-pass has taken the highest label's bands away.
    """
    batch = joined(Mixtures(made_windows(list(CORE)), 256, 16, 0.25, (1,)))
    total = batch.power.sum(dim=(1, 2), keepdim=True) + 1e-12
    loud = (batch.power / total).reshape(-1, FRAMES, len(CORE), 16).sum(dim=3).amax(dim=1) > 1e-4
    assert loud[batch.target == 1].float().mean() > 0.95


def test_an_instrument_that_is_not_there_does_not_play() -> None:
    batch = joined(Mixtures(made_windows(["piano", "violin"]), 64, 64, 0.0, (1,)))
    assert set(batch.target.sum(dim=1).tolist()) <= {0.0, 1.0, 2.0}
    assert batch.target[:, [CORE.index("acoustic guitar"), CORE.index("trumpet")]].sum() == 0


def test_a_prepared_mixture_is_used_as_it_is_and_never_mixed_again() -> None:
    """The window called a mix holds all four; a mixture of it would hold more than its target says."""
    windows = made_windows([*EVERYONE, "acoustic guitar"], kinds=["solo"] * 5 + ["mix"])
    assert windows.solos("acoustic guitar").tolist() == [0]
    assert windows.solos(None).tolist() == [4]
    windows.windows.targets[5] = True
    batch = joined(Mixtures(windows, 128, 64, 0.5, (1,)))
    as_prepared = np.concatenate([batch.target[32:64], batch.target[96:]])
    assert (as_prepared.sum(axis=1) == 4).any()


def test_without_instruments_and_other_sounds_there_is_noise() -> None:
    batch = joined(Mixtures(made_windows(["piano"]), 256, 64, 0.0, (1,)))
    nobody = batch.target.sum(dim=1) == 0
    assert nobody.any()
    assert (batch.power[nobody].mean(dim=(1, 2)) > 0).all()
