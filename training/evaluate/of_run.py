"""A run as a judge: its best checkpoint, under torch."""

from collections.abc import Collection, Sequence
from functools import cached_property

import numpy as np
import torch

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.calibrated import Calibrated
from whoplays.training.evaluate.candidates import Candidate, Own
from whoplays.training.evaluate.scores import Probabilities, Thresholds
from whoplays.training.fit.checkpoints import load
from whoplays.training.fit.tagger import Tagger
from whoplays.training.recipes import Recipe
from whoplays.training.run import RunFolder


class RunJudge:
    """A run's network; it has heard what it was trained on, and what chose its checkpoint.

    Args:
        fitted_on: groups of recordings that it was calibrated on, and so is not asked about either.
    """

    def __init__(self, run: RunFolder, fitted_on: Collection[str] = ()) -> None:
        self._run = run
        self._heard = {*run.config().seen, *fitted_on}

    @property
    def name(self) -> str:
        """The run's name."""
        return self._run.name

    def has_heard(self, clip: Clip) -> bool:
        """By its group."""
        return clip.group in self._heard

    def probabilities(self, windows: Windows) -> Probabilities:
        """Probabilities `[n, labels]` of windows `[n, 2, 132300]`."""
        with torch.inference_mode():
            return np.asarray(self._tagger(torch.from_numpy(windows)).numpy(), np.float32)

    @cached_property
    def _tagger(self) -> Tagger:
        return load(self._run.config().recipe, self._run.best_checkpoint())


def shared_recipe(runs: list[RunFolder]) -> Recipe:
    """The recipe of runs that judge together; each may be of other settings.

    Raises:
        DataError: a folder is no run, or they are of several recipes.
    """
    first, *others = (run.config().recipe for run in runs)
    if any((one.name, one.labels, one.task) != (first.name, first.labels, first.task) for one in others):
        raise DataError("only runs of the same recipe can be judged together")
    return first


def of_runs(runs: list[RunFolder], thresholds: Thresholds, calibrated: Sequence[Calibrated] = ()) -> Candidate:
    """One candidate of one or several runs, with thresholds for each label.

    Args:
        thresholds: of all of them, where they were not calibrated.
        calibrated: what was fitted to each of them, if it was.

    Raises:
        DataError: a folder is no run, or they are of several recipes.
    """
    recipe = shared_recipe(runs)
    groups = [fitted.groups for fitted in calibrated] or [()] * len(runs)
    judges = tuple(RunJudge(run, fitted_on) for run, fitted_on in zip(runs, groups, strict=True))
    own = tuple(Own(np.array(fitted.thresholds), fitted.calibration) for fitted in calibrated)
    return Candidate(recipe.labels, recipe.task, judges, thresholds, own, recipe.name)
