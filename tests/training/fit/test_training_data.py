"""Windows of solos and pairs, and what validation is computed on."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from tests.training.windows.made_windows import made_windows
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.mixing import Take, solos
from whoplays.training.data.splits import Splits
from whoplays.training.fit.training_data import PairWindows, SoloWindows, TrainingData, TrainingExample

Make = Callable[[tuple[int, ...]], Dataset[TrainingExample]]


@pytest.fixture(params=[SoloWindows, PairWindows])
def make(request: pytest.FixtureRequest, library: Library, clips: list[Clip]) -> Make:
    """Eight windows by the numbers of their drawing."""
    takes = [Take(one, 1) for one in solos(clips, CORE)]
    return lambda draw: request.param(library, takes, CORE, 8, draw)


def alike(first: Dataset[TrainingExample], second: Dataset[TrainingExample]) -> bool:
    return all(torch.equal(first[k].audio, second[k].audio) for k in range(8))


def test_the_same_drawing_gives_the_same_windows(make: Make) -> None:
    assert alike(make((20, 1)), make((20, 1)))


def test_every_epoch_is_drawn_afresh(make: Make) -> None:
    assert not alike(make((20, 1)), make((20, 2)))


def test_windows_are_normalised_and_have_their_labels(make: Make) -> None:
    windows = make((20, 1))
    playing = {window.target.sum().item() for window in (windows[k] for k in range(8))}
    assert playing in ({1.0}, {2.0})
    for window in (windows[k] for k in range(8)):
        assert (window.audio.shape, window.audio.dtype) == ((2, 132_300), torch.float32)
        assert window.audio.abs().max().item() == pytest.approx(0.5)


def test_a_solo_is_labelled_as_its_clip(library: Library, clips: list[Clip]) -> None:
    for label in CORE:
        takes = [Take(one, 1) for one in clips if one.labels == {label}]
        (window,) = (SoloWindows(library, takes, CORE, 1, (1,))[0],)
        assert window.target.tolist() == [float(label == one) for one in CORE]


def test_a_reversed_take_is_reversed(library: Library, clips: list[Clip]) -> None:
    plain, turned = (SoloWindows(library, [Take(clips[0], sign)], CORE, 1, (1,))[0].audio for sign in (1, -1))
    assert torch.equal(plain, -turned)


def test_solos_are_drawn_without_return(library: Library, clips: list[Clip]) -> None:
    takes = [Take(one, 1) for one in solos(clips, CORE)]
    assert len(SoloWindows(library, takes, CORE, 1000, (1,))) == len(takes)
    few = SoloWindows(library, takes, CORE, 8, (1,))
    assert len({few[k].audio.numpy().tobytes() for k in range(len(few))}) == len(few) == 8
    assert np.isfinite(few[0].audio.numpy()).all()


@pytest.mark.parametrize(("labels", "validated"), [({"violin"}, False), ({"violin", "piano"}, True)])
def test_mixtures_of_one_instrument_are_not_validated_with_pairs(
    labels: set[str], validated: bool, clips: list[Clip], library: Library
) -> None:
    """There are none: training would end after an epoch."""
    own = [clip for clip in clips if clip.labels & labels]
    recipe = recipes.find("band-mobilenet")
    data = TrainingData(recipe, Splits(own, own, []), library, made_windows(["violin"]))
    assert data.has_validation is validated
    if validated:
        assert np.isfinite(next(iter(data.val_dataloader()))[0].numpy()).all()
    else:
        with pytest.raises(DataError, match="pairs need clips of two labels at least"):
            next(iter(data.val_dataloader()))
