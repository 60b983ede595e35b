"""Real parts to test with: a made corpus, a library over it, and a run trained on it through the command line."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch

import whoplays
from tests.training.data.tiny_corpus import write_corpus
from tests.training.evaluate.made_models import constant
from tests.training.made_tagger import write_tagger
from whoplays.models.labels import CORE
from whoplays.training import recipes
from whoplays.training.data.clip import Clip
from whoplays.training.data.labelled_folder import LabelledFolder
from whoplays.training.data.library import Library
from whoplays.training.evaluate import testset
from whoplays.training.evaluate.conditions import conditions
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.results import Report
from whoplays.training.fit import training_data
from whoplays.training.run import RunFolder
from whoplays.training.windows import soundscapes


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpora") / "tiny")


@pytest.fixture(scope="session")
def clips(corpus: Path) -> list[Clip]:
    return LabelledFolder(corpus).clips()


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def library(cache: Path) -> Library:
    return Library(cache)


@pytest.fixture(scope="session")
def few() -> Iterator[None]:
    """A few windows to prepare at a time, to validate with and to evaluate on: enough here, and quick."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_data, "VALIDATION_WINDOWS", 16)
        patch.setattr(testset, "MIXES", 16)
        patch.setattr(soundscapes, "SHARD_WINDOWS", 8)
        small = [msgspec.structs.replace(one, batch_windows=16) for one in recipes.RECIPES if one.examples == "band"]
        patch.setattr(recipes, "RECIPES", (*small, *(one for one in recipes.RECIPES if one.examples != "band")))
        yield


@pytest.fixture(scope="session")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the default recipe begins from."""
    return write_tagger(tmp_path_factory.mktemp("taggers") / "tagger.pt")


@pytest.fixture(scope="session")
def trained(corpus: Path, cache: Path, tagger: Path, tmp_path_factory: pytest.TempPathFactory, few: None) -> RunFolder:
    """The default recipe, trained on very little for a few epochs."""
    folder = tmp_path_factory.mktemp("runs") / "band"
    whoplays.main(["train", *little(corpus, cache, tagger), "--out", str(folder)])
    return RunFolder(folder)


def little(corpus: Path, cache: Path, base: Path, **changes: int) -> list[str]:
    """Options for a short training."""
    amounts = {"epochs": 16, "epoch-windows": 64, "prepared-windows": 64} | changes
    folders = ["--data", str(corpus), "--cache", str(cache), "--base", str(base)]
    return [*folders, *(f"--{key}={value}" for key, value in amounts.items())]


@pytest.fixture(scope="session")
def two_models(clips: list[Clip], library: Library, few: None) -> Report:
    """One that knows eleven labels against one that knows four, with two conditions."""
    under = [condition for condition in conditions() if condition.name in {"mono", "level -12 dB"}]
    models = [constant("first"), constant("second", CORE, share=0.7)]
    found = evaluate(models, clips, library, "tiny", halve=True, conditions=under)
    return msgspec.structs.replace(found, command="whoplays evaluate first --data tiny")
