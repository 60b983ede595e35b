"""Inference on test sets: the same windows to all models, each made once; predictions of runs can be kept on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.data.library import Library, keep_array, read_array
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.plan import Plan
from whoplays.training.evaluate.predictors import Predictor, RunPredictor
from whoplays.training.evaluate.scores import Probabilities, Truths
from whoplays.training.evaluate.testset import Example

_BATCH: Final = 16


class Predictions(NamedTuple):
    """What one network predicts on one test set, a row for each example."""

    examples: Sequence[Example]
    probabilities: Probabilities
    truths: Truths


SetPredictions = dict[str, Predictions]
"""Of one network, by test set."""
ModelPredictions = dict[str, list[SetPredictions]]
"""Of one model: by scope, for each fold."""


def infer(
    plan: Plan, condition: Condition | None = None, only: Sequence[str] = (), *, keep: bool = False
) -> list[ModelPredictions]:
    """The predictions of all models; under a condition if one is given, then those of the first scope.

    Args:
        only: the test sets to use; all unless given.
        keep: keep the predictions of runs in their folders, and take those that are there.

    Raises:
        WhoplaysError: a network cannot be loaded, or its predictions cannot be kept.
    """
    found: list[ModelPredictions] = [{} for _ in plan.models]
    for scope in list(plan.scopes)[: 1 if condition else None]:
        for fold, sets in zip(plan.folds, plan.sets[scope], strict=True):
            able = plan.able(fold, plan.scopes[scope])
            chosen = {name: examples for name, examples in sets.items() if not only or name in only}
            predicted = {
                name: predict(list(able.values()), examples, plan.library, condition, keep=keep)
                for name, examples in chosen.items()
            }
            for place, k in enumerate(able):
                own = {name: (examples, predicted[name][place]) for name, examples in chosen.items()}
                labels = plan.models[k].labels
                found[k].setdefault(scope, []).append(
                    {name: Predictions(each, one, true_labels(each, labels)) for name, (each, one) in own.items()}
                )
    return found


def predict(
    predictors: Sequence[Predictor],
    examples: Sequence[Example],
    library: Library,
    condition: Condition | None = None,
    *,
    keep: bool = False,
) -> list[Probabilities]:
    """The probabilities that each predictor gives to these examples, `[examples, labels]`."""
    if keep:
        return [_kept(predictor, examples, library) for predictor in predictors]
    found: list[list[Probabilities]] = [[] for _ in predictors]
    for windows in _batches(examples, library, condition):
        for own, predictor in zip(found, predictors, strict=True):
            own.append(predictor.probabilities(windows))
    return [np.concatenate(own) for own in found]


def true_labels(examples: Sequence[Example], labels: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which labels play in each example, `[examples, labels]`."""
    return np.array([[label in playing for label in labels] for playing in (example.labels for example in examples)])


def _batches(examples: Sequence[Example], library: Library, condition: Condition | None) -> Iterator[Windows]:
    """Windows in batches; what is drawn for a condition depends on the example's number alone."""
    for start in range(0, len(examples), _BATCH):
        windows = [example.audio(library) for example in examples[start : start + _BATCH]]
        if condition:
            windows = [condition.apply(w, np.random.default_rng(start + k)) for k, w in enumerate(windows)]
        yield np.stack(windows)


def _kept(predictor: Predictor, examples: Sequence[Example], library: Library) -> Probabilities:
    """Those of exactly these examples by exactly this checkpoint, from the file that holds them if there is one."""
    if not isinstance(predictor, RunPredictor):
        return predict([predictor], examples, library)[0]
    path = predictor.run.folder / "predictions" / f"{_key(predictor.run.best_checkpoint(), examples)}.npy"
    kept: Probabilities | None = read_array(path)
    if kept is None:
        (kept,) = predict([predictor], examples, library)
        keep_array(path, kept)
    return kept


def _key(checkpoint: Path, examples: Sequence[Example]) -> str:
    digest = hashlib.sha256(checkpoint.read_bytes())
    for example in examples:
        parts = [(str(each.clip.path), each.clip.path.stat().st_mtime_ns, each.start) for each in example.parts]
        digest.update(f"{parts} {example.gains_db} {example.hiss_dbfs}".encode())
    return digest.hexdigest()[:32]
