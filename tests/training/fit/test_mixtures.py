import numpy as np
import torch

from tests.training.windows.made_shards import made_bank
from whoplays.models.labels import CORE
from whoplays.training.fit.lessons import lessons_of
from whoplays.training.fit.mixtures import BandBatch, Bands
from whoplays.training.networks.log_mel import FRAMES, MELS

EVERYONE: list[str | None] = [*CORE, None]


def joined(bands: Bands) -> BandBatch:
    return BandBatch(*(torch.cat(column) for column in zip(*bands, strict=True)))


def test_bands_are_drawn_by_number() -> None:
    first, again, other = (joined(Bands(made_bank(EVERYONE), 32, 16, 0.25, (1, k))).power for k in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(Bands(made_bank(EVERYONE), 40, 16, 0.25, (1,))) == 2


def test_bands_are_of_none_to_four_instruments() -> None:
    batch = joined(Bands(made_bank(EVERYONE), 512, 64, 0.0, (1,)))
    assert (batch.power.shape, batch.power.dtype, batch.target.dtype) == (
        (512, FRAMES, MELS),
        torch.float32,
        torch.float32,
    )
    assert batch.power.isfinite().all()
    assert (batch.power >= 0).all()
    assert set(batch.target.sum(dim=1).tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}
    assert batch.labelled.all()
    assert not batch.taught.any()


def test_who_plays_is_heard_in_the_band() -> None:
    """Each label sounds in mel bands of its own here, so the target can be read off the power.

    Save where a low-pass has taken the highest label's bands away.
    """
    batch = joined(Bands(made_bank(list(CORE)), 256, 16, 0.25, (1,)))
    total = batch.power.sum(dim=(1, 2), keepdim=True) + 1e-12
    loud = (batch.power / total).reshape(-1, FRAMES, len(CORE), 16).sum(dim=3).amax(dim=1) > 1e-4
    assert loud[batch.target == 1].float().mean() > 0.95


def test_an_instrument_that_is_not_there_does_not_play() -> None:
    batch = joined(Bands(made_bank(["pia", "vio"]), 64, 64, 0.0, (1,)))
    assert set(batch.target.sum(dim=1).tolist()) <= {0.0, 1.0, 2.0}
    assert batch.target[:, [CORE.index("gac"), CORE.index("tru")]].sum() == 0


def test_music_is_heard_for_its_lessons_only() -> None:
    """Nobody knows who plays in it: it must not count as a window in which nobody does."""
    bank = made_bank([*EVERYONE, None, None], kinds=["solo"] * 5 + ["music"] * 2, classes=3)
    batch = joined(Bands(bank, 256, 64, 0.5, (1,)))
    assert batch.taught.sum() == 128
    assert (~batch.labelled).any()
    assert (batch.taught | batch.labelled).all()
    weighed = lessons_of(bank)
    lessons = np.round(batch.lesson[~batch.labelled].numpy() / weighed.weight + weighed.mean).astype(int)
    assert set(lessons[:, 0].tolist()) == {15, 18}


def test_music_counts_as_what_is_likely_to_play_in_it() -> None:
    bank = made_bank([*EVERYONE, None, None], kinds=["solo"] * 5 + ["music"] * 2, classes=3)
    likely = bank.windows.targets.astype(np.float32)
    likely[5:] = 0.25
    batch = joined(Bands(bank, 256, 64, 0.5, (1,), likely))
    assert batch.labelled.all()
    soft = (batch.target == 0.25).all(dim=1)
    assert soft.any()
    assert batch.taught[soft].all()
    assert ((batch.target[~soft] == 0) | (batch.target[~soft] == 1)).all()


def test_without_lessons_music_is_left_out() -> None:
    bank = made_bank([*EVERYONE, None], kinds=["solo"] * 5 + ["music"])
    batch = joined(Bands(bank, 128, 64, 0.5, (1,)))
    assert batch.labelled.all()
    assert batch.lesson.shape == (128, 0)


def test_a_mix_is_heard_as_it_is_and_never_mixed_again() -> None:
    """The window called a mix holds all four; a band of it would be a band of more than its target says."""
    bank = made_bank([*EVERYONE, "gac"], kinds=["solo"] * 5 + ["mix"])
    assert bank.solos("gac").tolist() == [0]
    assert bank.solos(None).tolist() == [4]


def test_an_empty_stage_has_its_noise() -> None:
    """Where neither instruments nor other sounds are there, what is left is hiss, and nobody is named."""
    batch = joined(Bands(made_bank(["pia"]), 256, 64, 0.0, (1,)))
    nobody = batch.target.sum(dim=1) == 0
    assert nobody.any()
    assert (batch.power[nobody].mean(dim=(1, 2)) > 0).all()
