"""Runs to export, trained on nothing: what a network has learnt does not matter to its graph."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import NamedTuple

import lightning
import numpy as np
import pytest
import torch

import whoplays
from tests.training.data.tiny_corpus import write_corpus
from whoplays.export import graph, package
from whoplays.models.card import ModelCard, read_card
from whoplays.models.labels import NAMES
from whoplays.training import recipes
from whoplays.training.data.corpora import gather, open_share
from whoplays.training.evaluate.results import Report, SetResult
from whoplays.training.evaluate.scores import Scores
from whoplays.training.evaluate.store import keep_report
from whoplays.training.fit.checkpoints import load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.run import RunFolder, configure


class Exported(NamedTuple):
    """A run and the model made from it."""

    run: RunFolder
    folder: Path
    said: str
    """What the command said on standard output."""

    @property
    def card(self) -> ModelCard:
        """The card that was written."""
        return read_card(self.folder)

    def tagger(self) -> Tagger:
        """The network of the run."""
        return load(self.run.config().recipe, self.run.best_checkpoint())


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips: enough to show parity on."""
    return write_corpus(tmp_path_factory.mktemp("corpora") / "four", groups=1, noises=0)


@pytest.fixture(scope="session")
def band(corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The default network, of a run that was judged twice."""
    run = write_run(tmp_path_factory.mktemp("runs") / "band", "band-mobilenet", corpus)
    keep_report(judged("real", 0.8, sources=3), run.folder / "metrics.json")
    keep_report(judged("test split", 0.5, sources=2), run.folder / "metrics.json")
    # Somebody judged a model here, too: nothing of that is this run's.
    keep_report(judged("others", 0.1, sources=4, recipe=""), run.folder / "metrics.json")
    return export(run, cache, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def solo(corpus: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The original project's network, of a run that was not evaluated."""
    run = write_run(tmp_path_factory.mktemp("runs") / "solo", "solo-rawcnn", corpus)
    return export(run, cache, tmp_path_factory.mktemp("models"))


def write_run(folder: Path, recipe_name: str, corpus: Path, seed: int = 1) -> RunFolder:
    """A run folder with random weights, whose batch norms have seen something."""
    recipe = recipes.find(recipe_name)
    run = RunFolder(folder)
    run.write_config(configure(recipe, (str(corpus),), gather([open_share(str(corpus))], recipe.seed)))
    run.checkpoints.mkdir()
    lightning.seed_everything(seed, verbose=False)
    tagger = Tagger(recipe).train()
    with torch.no_grad():
        tagger(0.1 * torch.randn(2, 2, 132_300))
    torch.save({"state_dict": tagger.state_dict()}, run.last_checkpoint)
    return run


def export(run: RunFolder, cache: Path, out: Path) -> Exported:
    """Make a model's folder from a run, by the command; parity on a few windows, as `RawCNN` is slow."""
    name = run.name
    options = ["--name", name, "--version", "1.2.3", "--out", str(out), "--cache", str(cache)]
    with redirect_stdout(io.StringIO()) as said, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "300")
        patch.setattr(graph, "_RANDOM_WINDOWS", 2)
        patch.setattr(package, "_REAL_WINDOWS", 2)
        whoplays.main(["export", str(run.folder), *options])
    return Exported(run, out / name, said.getvalue())


def judged(data: str, share: float, *, sources: int, recipe: str = "band-mobilenet") -> Report:
    """A report with the same share everywhere."""
    scores = Scores(
        windows=10,
        top1=share,
        labels_right=share,
        label_accuracy={},
        exact_match=share,
        macro_f1=share,
        mean_average_precision=share,
        false_alarm=share,
    )
    results = [
        SetResult(set=name, scope=scope, scores=scores, top1_by_source={}, confusion={})
        for scope in ("all", "core")
        for name in ("solos", "pairs", "other sounds")
    ]
    return Report(
        data=data,
        runs=("band",),
        recipe=recipe,
        clips=5,
        sources=sources,
        labels=tuple(NAMES),
        thresholds=(0.25,) * len(NAMES),
        fitted=False,
        results=tuple(results),
    )


def made_windows(count: int) -> np.ndarray:
    """Noise at several levels, and silence: `float32 [count, 2, 132300]`."""
    rng = np.random.default_rng(5)
    levels = np.linspace(0, 1, count)[:, None, None]
    return (levels * rng.uniform(-1, 1, (count, 2, 132_300))).astype(np.float32)
