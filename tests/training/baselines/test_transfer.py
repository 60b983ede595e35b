"""Transfer: features are frozen and computed once, and none are used of a run that was trained on what is held out."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.training.evaluate.made_models import untrained
from tests.training.made_tagger import write_tagger
from whoplays.models.errors import DataError, WhoplaysError
from whoplays.models.labels import NAMES
from whoplays.training import recipes
from whoplays.training.base import Base, find_base
from whoplays.training.baselines import features
from whoplays.training.baselines.fit_head import fit_head
from whoplays.training.baselines.transfer import Transfer
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import Splits, by_group
from whoplays.training.fit.checkpoints import load
from whoplays.training.networks.efficientat import EfficientATFeatures, EfficientATNetwork, KaldiLogMel, read_weights
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder
from whoplays.training.taggers.efficientat import logits


@pytest.fixture(scope="module")
def splits(clips: list[Clip]) -> Splits:
    return by_group(clips, 1)


@pytest.fixture(scope="module")
def base(splits: Splits, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return untrained(tmp_path_factory.mktemp("bases") / "solo", splits.train, recipes.find("solo-rawcnn"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tagger(tmp_path_factory.mktemp("weights") / "tagger.pt")


def begun(run: RunFolder) -> Base:
    """A run as what is begun from."""
    return Base(str(run.folder), run.best_checkpoint(), run.config().recipe.labels, seen=run.config().seen)


def short(name: str = "transfer-rawcnn") -> Recipe:
    return msgspec.structs.replace(recipes.find(name), epochs=3, epoch_windows=8, batch_windows=8)


def test_the_original_projects_head_is_kept() -> None:
    recipe = recipes.find("transfer-rawcnn")
    assert (recipe.learning_rate, recipe.batch_windows, recipe.base) == (1e-4, 64, "solo-rawcnn")


def test_only_the_head_learns(base: RunFolder, splits: Splits, library: Library, tmp_path: Path) -> None:
    fit_head(short(), splits, library, RunFolder(tmp_path), begun(base), threads=1)
    network = load(short(), RunFolder(tmp_path).best_checkpoint()).network
    assert isinstance(network, Transfer)
    frozen = load(base.config().recipe, base.best_checkpoint()).network.state_dict()
    assert all(torch.equal(value, frozen[name]) for name, value in network.base.state_dict().items())
    shapes = [(m.in_features, m.out_features) for m in network.head if isinstance(m, torch.nn.Linear)]
    assert shapes == [(254, 100), (100, 50), (50, 4)]
    assert (tmp_path / "log" / "metrics.csv").read_text().splitlines()[0] == "epoch,train_loss"


def test_features_are_computed_once_and_the_same_head_comes_of_them(
    base: RunFolder, splits: Splits, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    first = fit_head(short(), splits, library, run, begun(base), threads=1).network.state_dict()
    monkeypatch.setattr(features, "draw_windows", lambda *_: pytest.fail("computed twice"))
    again = fit_head(short(), splits, library, run, begun(base), threads=1).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in first.items())


def test_a_base_that_was_trained_on_what_is_held_out_is_refused(
    splits: Splits, clips: list[Clip], library: Library, tmp_path: Path
) -> None:
    everything = untrained(tmp_path / "solo", clips, recipes.find("solo-rawcnn"))
    with pytest.raises(DataError, match="other groups that this run holds out"):
        fit_head(short(), splits, library, RunFolder(tmp_path / "run"), begun(everything), threads=1)


def test_a_base_of_another_recipe_is_refused(splits: Splits, library: Library, tmp_path: Path) -> None:
    other = untrained(tmp_path / "duo", splits.train, recipes.find("duo-crnn"))
    with pytest.raises(DataError, match="uses the features of a run of solo-rawcnn"):
        fit_head(recipes.find("transfer-rawcnn"), splits, library, RunFolder(tmp_path / "run"), begun(other), threads=1)


def test_a_taggers_features_are_used_too(splits: Splits, library: Library, weights: Path, tmp_path: Path) -> None:
    recipe = short("transfer-efficientat")
    tagger = find_base(recipe, str(weights))
    assert tagger is not None
    fit_head(recipe, splits, library, RunFolder(tmp_path), tagger, threads=1)
    network = load(recipe, RunFolder(tmp_path).best_checkpoint()).network
    assert isinstance(network, Transfer)
    assert isinstance(network.base, EfficientATFeatures)
    known = torch.load(weights)
    kept = network.base.features.state_dict()
    assert kept
    assert all(torch.equal(value, known[f"features.{name}"]) for name, value in kept.items())
    untaught = Transfer(EfficientATFeatures(), 4)
    assert [p.shape for p in network.head.parameters()] == [p.shape for p in untaught.head.parameters()]


def test_its_features_are_what_its_own_logits_are_made_of(weights: Path) -> None:
    """As a tagger it is given windows resampled by another library, and their mean over both channels."""
    tagger = EfficientATNetwork().eval()
    tagger.load_state_dict(torch.load(weights))
    pooled = EfficientATFeatures().eval()
    pooled.features.load_state_dict(tagger.features.state_dict())
    noise = np.random.default_rng(1).standard_normal((2, 132_300))
    audio = np.stack([0.01 * noise, noise.cumsum(axis=1) * 1e-3]).astype(np.float32)
    with torch.inference_mode():
        found = tagger.classifier[2:](pooled(torch.from_numpy(audio))).numpy()
    wanted = logits(read_weights(weights), KaldiLogMel(), audio.mean(axis=1))
    apart = np.abs(wanted[0] - wanted[1]).max()
    np.testing.assert_allclose(found, wanted, atol=0.05 * apart)


def test_what_is_no_tagger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tagger.pt").write_bytes(b"no weights")
    with pytest.raises(DataError, match="does not hold the weights of EfficientAT") as refused:
        find_base(short("transfer-efficientat"), str(tmp_path / "tagger.pt"))
    assert "weights_only" not in str(refused.value)


def test_a_run_knows_its_tagger_by_name(weights: Path) -> None:
    """The same weights in another folder are the same base."""
    tagger = find_base(short("transfer-efficientat"), str(weights))
    assert tagger is not None
    assert (tagger.name, tagger.labels, tagger.corpora) == ("efficientat-mn04", NAMES, ())


@pytest.mark.parametrize(
    ("name", "base", "message"),
    [
        ("transfer-rawcnn", None, "name one with --base RUN"),
        ("transfer-efficientat", None, r"name its weights with --base FILE\.pt"),
        (
            "transfer-efficientat",
            "nothing.pt",
            r"nothing\.pt does not hold the weights of EfficientAT",
        ),
        ("forest-mel", "run", "leave out --base"),
    ],
)
def test_a_base_of_no_use_is_refused_before_anything_is_read(name: str, base: str | None, message: str) -> None:
    with pytest.raises(WhoplaysError, match=message):
        find_base(recipes.find(name), base)
