"""Transfer: features are frozen and heard once, and nothing is learnt from a run that has heard too much."""

from pathlib import Path

import msgspec
import pytest
import torch

from models.errors import DataError, OptionError
from tests.training.test_evaluate import untrained
from training import cached
from training import recipe as recipes
from training.clip import Clip
from training.fit import load
from training.learn import learn
from training.library import Library
from training.networks.transfer import Transfer
from training.recipe import Recipe
from training.run import RunFolder
from training.splits import Splits, by_group


@pytest.fixture(scope="module")
def splits(clips: list[Clip]) -> Splits:
    return by_group(clips, 1)


@pytest.fixture(scope="module")
def base(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return untrained(tmp_path_factory.mktemp("bases") / "band", splits.train)


def short() -> Recipe:
    return msgspec.structs.replace(recipes.find("transfer-melcnn"), epochs=3, epoch_windows=16, batch_windows=8)


def test_the_seeds_head_is_kept() -> None:
    recipe = recipes.find("transfer-rawcnn")
    assert (recipe.learning_rate, recipe.batch_windows, recipe.base) == (1e-4, 64, "solo-rawcnn")


def test_only_the_head_learns(base: RunFolder, splits: Splits, library: Library, tmp_path: Path) -> None:
    learn(short(), splits, library, RunFolder(tmp_path), base, threads=1)
    network = load(short(), RunFolder(tmp_path).best_checkpoint()).network
    assert isinstance(network, Transfer)
    frozen = load(base.config().recipe, base.best_checkpoint()).network.state_dict()
    assert all(torch.equal(value, frozen[name]) for name, value in network.base.state_dict().items())
    shapes = [(m.in_features, m.out_features) for m in network.head if isinstance(m, torch.nn.Linear)]
    assert shapes == [(640, 100), (100, 50), (50, 4)]
    assert (tmp_path / "log" / "metrics.csv").read_text().splitlines()[0] == "epoch,train_loss"


def test_features_are_heard_once_and_the_same_head_comes_of_them(
    base: RunFolder, splits: Splits, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    first = learn(short(), splits, library, run, base, threads=1).network.state_dict()
    monkeypatch.setattr(cached, "draw_windows", lambda *_: pytest.fail("heard twice"))
    again = learn(short(), splits, library, run, base, threads=1).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_a_base_that_has_heard_too_much_is_refused(
    splits: Splits, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    everything = untrained(tmp_path / "band", clips)
    with pytest.raises(DataError, match="other groups that this run must not hear"):
        learn(short(), splits, library, RunFolder(tmp_path / "run"), everything, threads=1)


def test_a_base_of_another_recipe_is_refused(base: RunFolder, splits: Splits, library: Library, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="learns from a run of solo-rawcnn"):
        learn(recipes.find("transfer-rawcnn"), splits, library, RunFolder(tmp_path), base, threads=1)


def test_a_missing_base_is_asked_for(splits: Splits, library: Library, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="name one with --base RUN"):
        learn(short(), splits, library, RunFolder(tmp_path), None, threads=1)
