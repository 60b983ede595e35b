"""What validation is told from."""

import msgspec
import numpy as np
import pytest

from tests.training.windows.made_shards import made_bank
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training import recipe as recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits
from whoplays.training.fit.data_module import Batches
from whoplays.training.fit.mixtures import BandBatch


@pytest.mark.parametrize("taught", [True, False])
def test_music_is_heard_and_has_pseudo_labels_where_there_are_lessons(
    taught: bool, clips: list[Clip], library: Library
) -> None:
    recipe = msgspec.structs.replace(
        recipes.find("band-melcnn"), epoch_windows=64, labels=tuple(CORE), taught_share=0.9
    )
    bank = made_bank([*CORE, None, None], kinds=["solo"] * 4 + ["music"] * 2, classes=3)
    bank = bank if taught else bank.without_lessons()
    (batch,) = Batches(recipe, Splits(clips, [], []), library, bank).train_dataloader()
    assert isinstance(batch, BandBatch)
    assert bool(batch.labelled.all())
    assert bool(((batch.target > 0) & (batch.target < 1)).any()) is taught


@pytest.mark.parametrize(("labels", "validated"), [({"vio"}, False), ({"vio", "pia"}, True)])
def test_bands_of_one_instrument_are_not_validated_with_pairs(
    labels: set[str], validated: bool, clips: list[Clip], library: Library
) -> None:
    """There are none: training went on for an epoch, and ended there."""
    own = [clip for clip in clips if clip.labels & labels]
    recipe = recipes.find("band-melcnn")
    batches = Batches(recipe, Splits(own, own, []), library, made_bank(["vio"]))
    assert batches.has_validation is validated
    if validated:
        assert np.isfinite(next(iter(batches.val_dataloader()))[0].numpy()).all()
    else:
        with pytest.raises(DataError, match="pairs need clips of two labels at least"):
            next(iter(batches.val_dataloader()))
