"""Models to evaluate: runs, exported models and published taggers, all given the same windows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from whoplays.models import catalogue
from whoplays.models.card import ModelCard, Task
from whoplays.models.errors import DataError
from whoplays.models.session import one_line, open_session
from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.calibration import Calibration, apply
from whoplays.training.evaluate.results import CalibrationRecord
from whoplays.training.evaluate.scores import Probabilities, Thresholds, Truths
from whoplays.training.fit.checkpoints import load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder


class Predictor(Protocol):
    """One network."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    def was_trained_on(self, clip: Clip) -> bool:
        """Whether it was trained, chosen or calibrated on this recording, so that its predictions are worth nothing."""

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `float32 [n, labels]` of windows `float32 [n, 2, 132300]`.

        Raises:
            WhoplaysError: it cannot be loaded, or does not run.
        """


class DecisionRule(NamedTuple):
    """How a network's outputs become active labels, as it ships: its calibration, if it has one, and thresholds."""

    thresholds: Thresholds
    calibration: Calibration | None = None

    def apply(self, probabilities: Probabilities) -> tuple[Probabilities, Truths]:
        """Calibrated probabilities, and which labels are active, of the network's own, `[n, labels]` all."""
        calibrated = probabilities if self.calibration is None else apply(self.calibration, probabilities)
        return calibrated, calibrated >= self.thresholds


@dataclass(frozen=True)
class Model:
    """One network, or several of one kind of which each predicts what it was not trained on: a row of a report."""

    labels: tuple[str, ...]
    """Codes, in the order of its probabilities."""
    task: Task
    predictors: tuple[Predictor, ...]
    thresholds: Thresholds
    """Its own, `[labels]`, where none of its networks was calibrated."""
    calibrated: tuple[DecisionRule, ...] = ()
    """The rule fitted to each of its networks; none where nothing was."""
    recipe: str = ""
    """What its networks are runs of; empty where they are no runs."""

    @property
    def name(self) -> str:
        """Its name in reports."""
        return " + ".join(predictor.name for predictor in self.predictors)

    def knows(self, labels: tuple[str, ...]) -> bool:
        """Whether it predicts all of these labels."""
        return set(labels) <= set(self.labels)

    def rule_of(self, predictor: Predictor) -> DecisionRule:
        """The decision rule of one of its networks."""
        return dict(zip(self.predictors, self.calibrated, strict=False)).get(predictor, DecisionRule(self.thresholds))

    def predictor_for(self, clip: Clip) -> Predictor | None:
        """The first of its networks that was not trained on a recording."""
        return next((predictor for predictor in self.predictors if not predictor.was_trained_on(clip)), None)


class RunPredictor:
    """A run's network, its best checkpoint under torch.

    Args:
        fitted_on: groups of recordings that it was calibrated on; it is not evaluated on them either.
    """

    def __init__(self, run: RunFolder, fitted_on: Collection[str] = ()) -> None:
        self.run = run
        self._seen = {*run.config().seen, *fitted_on}

    @property
    def name(self) -> str:
        """The run's name."""
        return self.run.name

    def was_trained_on(self, clip: Clip) -> bool:
        """By its group."""
        return clip.group in self._seen

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `[n, labels]` of windows `[n, 2, 132300]`."""
        with torch.inference_mode():
            return np.asarray(self._tagger(torch.from_numpy(windows)).numpy(), np.float32)

    @cached_property
    def _tagger(self) -> Tagger:
        return load(self.run.config().recipe, self.run.best_checkpoint())


class GraphPredictor:
    """An exported model: its graph under onnxruntime, on the CPU. Its card names the sources that it was trained on."""

    def __init__(self, graph: Path, card: ModelCard, threads: int) -> None:
        self._graph, self._card, self._threads = graph, card, threads
        self._seen = {corpus.name for corpus in card.corpora}

    @property
    def name(self) -> str:
        """The model's name."""
        return self._card.name

    def was_trained_on(self, clip: Clip) -> bool:
        """By its source: a card names no recordings."""
        return clip.source in self._seen

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `[n, labels]` of windows `[n, 2, 132300]`.

        Raises:
            ModelError, ProviderError: onnxruntime refuses the graph, or fails on it.
        """
        with one_line(str(self._graph), "cpu"):
            return np.asarray(self._session.run(["probabilities"], {"audio": windows})[0], np.float32)

    @cached_property
    def _session(self) -> Any:
        return open_session(self._graph, "cpu", self._threads)[0]


def exported_model(name_or_path: str, threads: int = 1) -> Model:
    """A model of the catalogue or of a folder, with the thresholds of its card.

    Raises:
        ModelError: there is no such model, or its card and graph disagree.
    """
    graph, card = catalogue.find(name_or_path)
    return Model(card.labels, card.task, (GraphPredictor(graph, card, threads),), np.array(card.thresholds))


def shared_recipe(runs: list[RunFolder]) -> Recipe:
    """The recipe of runs that make one model; each may be of other settings.

    Raises:
        DataError: a folder is no run, or they are of several recipes.
    """
    first, *others = (run.config().recipe for run in runs)
    if any((one.name, one.labels, one.task) != (first.name, first.labels, first.task) for one in others):
        raise DataError("runs that are evaluated together must be of the same recipe")
    return first


def model_of_runs(
    runs: list[RunFolder], thresholds: Thresholds, calibrations: Sequence[CalibrationRecord] = ()
) -> Model:
    """One model of one or several runs, with thresholds for each label.

    Args:
        thresholds: of all of them, where they were not calibrated.
        calibrations: what was fitted to each of them, if it was.

    Raises:
        DataError: a folder is no run, or they are of several recipes.
    """
    recipe = shared_recipe(runs)
    groups = [fitted.groups for fitted in calibrations] or [()] * len(runs)
    predictors = tuple(RunPredictor(run, fitted_on) for run, fitted_on in zip(runs, groups, strict=True))
    rules = tuple(DecisionRule(np.array(fitted.thresholds), fitted.calibration) for fitted in calibrations)
    return Model(recipe.labels, recipe.task, predictors, thresholds, rules, recipe.name)
