"""What is evaluated on what: folds of recordings by which network was not trained on them, and test sets of each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.data.splits import holding_out
from whoplays.training.evaluate.predictors import Model, Predictor
from whoplays.training.evaluate.testset import MIX_SIZES, SILENCE, Sets, build_sets, scopes_of, silences

_SEED: Final = 7
_NUMBERS: Final = {2: "two", 3: "three"}


class Recordings(NamedTuple):
    """Recordings to evaluate on, and what reports call them."""

    name: str
    clips: list[Clip]


class Fold(NamedTuple):
    """Recordings, and of each model the network that was not trained on them."""

    predictors: tuple[Predictor, ...]
    clips: list[Clip]


class Plan(NamedTuple):
    """What is evaluated on what."""

    models: list[Model]
    folds: list[Fold]
    scopes: dict[str, tuple[str, ...]]
    """Labels by scope, the widest last."""
    sets: dict[str, list[Sets]]
    """By scope, the test sets of each fold."""
    library: Library

    def able(self, fold: Fold, labels: tuple[str, ...]) -> dict[int, Predictor]:
        """The predictors of a fold whose models know these labels, by the model's place."""
        each = enumerate(zip(self.models, fold.predictors, strict=True))
        return {k: predictor for k, (model, predictor) in each if model.knows(labels)}


def make_plan(models: list[Model], clips: list[Clip], library: Library, *, halve: bool = False) -> Plan:
    """The same test sets for all models, of recordings that none of them was trained on.

    Args:
        halve: where all recordings are one fold, make it two.

    Raises:
        DataError: some model was trained on every recording, or knows the labels of no scope.
    """
    folds = divide(models, clips)
    folds = halved(folds) if halve else folds
    scopes = scopes_of(models[0].labels)
    for model in models:
        if not any(model.knows(labels) for labels in scopes.values()):
            raise DataError(f"{model.name} knows other labels than {models[0].name}: {' '.join(model.labels)}")
    sets = {
        scope: [{**build_sets(library, fold.clips, labels, _SEED), SILENCE: silences()} for fold in folds]
        for scope, labels in scopes.items()
    }
    return Plan(models, folds, scopes, sets, library)


def divide(models: list[Model], clips: list[Clip]) -> list[Fold]:
    """Recordings by which networks predict them; what any model was trained on is left out, so that all get the same.

    Raises:
        DataError: nothing is left.
    """
    by_predictors: dict[tuple[Predictor, ...], list[Clip]] = {}
    for clip in clips:
        found = [model.predictor_for(clip) for model in models]
        predictors = tuple(predictor for predictor in found if predictor is not None)
        if len(predictors) == len(models):
            by_predictors.setdefault(predictors, []).append(clip)
    if not by_predictors:
        raise DataError(
            "at least one of these models was trained or calibrated on every one of these recordings; "
            "give others, or runs that held them out"
        )
    order = {predictor: place for place, predictor in enumerate(each for model in models for each in model.predictors)}
    return [
        Fold(predictors, by_predictors[predictors])
        for predictors in sorted(by_predictors, key=lambda predictors: [order[each] for each in predictors])
    ]


def halved(folds: list[Fold]) -> list[Fold]:
    """A single fold as two: halves of its sources, or of its groups where these cannot be halved; else as they are.

    So that thresholds can be fitted on one half for the other.
    """
    if len(folds) > 1:
        return folds
    (fold,) = folds
    by_group = [msgspec.structs.replace(clip, source=clip.group) for clip in fold.clips]
    for clips in (fold.clips, by_group):
        first = {clip.path for clip in holding_out(clips, 1, 2).test}
        halves = [[clip for clip in fold.clips if (clip.path in first) == side] for side in (True, False)]
        if all(halves):
            return [Fold(fold.predictors, half) for half in halves]
    return folds


def remarks(plan: Plan, clips: list[Clip]) -> Iterator[str]:
    """Corpora that are left out, mixes that cannot be made, and those within a single source, a sentence each.

    Args:
        clips: all recordings that were given.
    """
    used = {_corpus(clip) for fold in plan.folds for clip in fold.clips}
    for name in dict.fromkeys(map(_corpus, clips)):
        if name not in used:
            yield f"all of {name} is left out: some model evaluated here was trained on it"
    scopes: dict[str, list[str]] = defaultdict(list)
    for scope, sets in plan.sets.items():
        for remark in _of_mixes(sets):
            scopes[remark].append(scope)
    for remark, found in scopes.items():
        yield remark if len(found) == len(plan.sets) else f"{remark} ({found[0]} labels)"


def _of_mixes(folds: Sequence[Sets]) -> Iterator[str]:
    with_solos = [sets for sets in folds if "solos" in sets]
    for name, size in MIX_SIZES.items():
        without = sum(name not in sets for sets in with_solos)
        if without:
            where = _where(without, len(folds))
            yield f"no {name}{where}: they take soloists of {_NUMBERS[size]} labels and as many sources"
    alone = sum(len(_sources(sets)) == 1 and bool(MIX_SIZES.keys() & sets) for sets in with_solos)
    if alone:
        yield f"mixes{_where(alone, len(folds))} are of players from one source: there is no other"


def _where(count: int, folds: int) -> str:
    return "" if count == folds else f" in {count} of {folds} folds"


def _sources(sets: Sets) -> set[str]:
    return {source for example in sets["solos"] for source in example.sources}


def _corpus(clip: Clip) -> str:
    return clip.group.partition("/")[0]
