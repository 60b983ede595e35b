"""Evaluation: several models on the same test sets, of recordings that none of them was trained on."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.console import counted
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate import excerpts
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.inference import ModelPredictions, Predictions, infer
from whoplays.training.evaluate.plan import Plan, make_plan, remarks
from whoplays.training.evaluate.predictors import DecisionRule, Model
from whoplays.training.evaluate.results import ConditionResult, ExcerptResult, Report
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.evaluate.scoring import (
    Decisions,
    FoldRules,
    cross_fit,
    decide,
    differences,
    fit_f_measure,
    rules_of,
    score_set,
    scores_of,
)
from whoplays.training.evaluate.testset import OTHERS
from whoplays.training.run import groups

_UNDER_CONDITIONS: Final = ("solos", "pairs", OTHERS)
_EXCERPTS: Final = "excerpts"

Rules = dict[str, list[FoldRules]]
"""Of one model: by scope, for each fold."""
T = TypeVar("T")


def evaluate(
    models: list[Model],
    clips: list[Clip],
    library: Library,
    data: str,
    *,
    fit: bool = False,
    halve: bool = False,
    conditions: Sequence[Condition] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Evaluate every model on the same windows of recordings that none of them was trained on.

    Args:
        data: what the report calls the recordings.
        fit: fit the first model's thresholds here, those of each fold on the predictions of the others; not where it
            was calibrated, which counts.
        halve: where all recordings are one fold, make it two, so that thresholds can be tuned.
        conditions: what to evaluate solos, pairs and other sounds under once more.
        say: called with what is being done.

    Returns:
        The report of the first model; it holds those of the others.

    Raises:
        DataError: some model was trained on every recording, or thresholds are to be fitted where there is one group of
            recordings, or no window but in one.
    """
    plan = make_plan(models, clips, library, halve=fit or halve)
    if fit and len(plan.folds) < 2:
        raise DataError("thresholds are fitted across groups of recordings; these are a single group")
    say(f"evaluating on {counted(sum(len(fold.clips) for fold in plan.folds), 'recording')}")
    predictions = infer(plan)
    rules = [rules_of(_own_rules(plan, k, own, fit=fit and k == 0), own) for k, own in enumerate(predictions)]
    if len(plan.folds) > 1 and any(_untuned(own) for own in rules):
        say("for some labels only one fold of the recordings holds an example: there no thresholds are tuned")
    under_conditions = _under_conditions(plan, rules, conditions, say)
    irmas = _excerpts(plan, rules)
    decisions = [_decisions(plan, k, own, rules[k]) for k, own in enumerate(predictions)]
    fitted = [fit_f_measure(_widest(own)) if fit and k == 0 else None for k, own in enumerate(predictions)]
    first, *others = (
        msgspec.structs.replace(
            _report(plan, k, decisions[k], fitted[k], data=data, given=len(clips)),
            under_conditions=tuple(under_conditions[k]),
            excerpts=irmas[k],
        )
        for k in range(len(models))
    )
    compared = zip(others, decisions[1:], strict=True)
    return msgspec.structs.replace(
        first,
        against=tuple(others),
        differences=tuple(each for other, own in compared for each in differences(decisions[0], own, other.name)),
        remarks=tuple(remarks(plan, clips)),
    )


def _own_rules(plan: Plan, k: int, predictions: ModelPredictions, *, fit: bool) -> list[DecisionRule]:
    """A model's own decision rules for each fold; if fitted here, on the predictions of the widest scope."""
    model = plan.models[k]
    if model.calibrated or not fit:
        return [model.rule_of(fold.predictors[k]) for fold in plan.folds]
    fitted = cross_fit(fit_f_measure, _widest(predictions))
    found = [DecisionRule(thresholds) for thresholds in fitted if thresholds is not None]
    if len(found) < len(plan.folds):
        raise DataError(
            "thresholds are fitted across folds of the recordings; only one holds any window to evaluate on"
        )
    return found


def _untuned(rules: Rules) -> bool:
    return any(each.tuned is None for folds in rules.values() for each in folds)


def _widest(by_scope: dict[str, T]) -> T:
    """That of the scope with most labels."""
    return by_scope[next(reversed(by_scope))]


def _decisions(plan: Plan, k: int, predictions: ModelPredictions, rules: Rules) -> dict[tuple[str, str], Decisions]:
    """One model's decisions by scope and test set, each fold by its rules."""
    found: dict[tuple[str, str], Decisions] = {}
    for scope, folds in predictions.items():
        for name in dict.fromkeys(name for fold in folds for name in fold):
            parts = [(fold[name], own) for fold, own in zip(folds, rules[scope], strict=True) if name in fold]
            found[scope, name] = decide(plan.models[k], parts, plan.scopes[scope])
    return found


def _report(
    plan: Plan,
    k: int,
    decisions: dict[tuple[str, str], Decisions],
    fitted: Thresholds | None,
    *,
    data: str,
    given: int,
) -> Report:
    model, folds = plan.models[k], plan.folds
    clips = [clip for fold in folds for clip in fold.clips]
    return Report(
        data=data,
        runs=tuple(dict.fromkeys(fold.predictors[k].name for fold in folds)),
        recipe=model.recipe,
        clips=len(clips),
        sources=len({clip.source for clip in clips}),
        groups=len(groups(clips)),
        folds=len(folds),
        left_out=given - len(clips),
        labels=model.labels,
        thresholds=tuple((model.thresholds if fitted is None else fitted).round(4).tolist()),
        fitted=fitted is not None,
        fitted_groups=() if fitted is None else groups(clips),
        calibrated=bool(model.calibrated),
        results=tuple(score_set(scope, name, own, plan.scopes[scope]) for (scope, name), own in decisions.items()),
    )


def _under_conditions(
    plan: Plan, rules: list[Rules], conditions: Sequence[Condition], say: Callable[[str], None]
) -> list[list[ConditionResult]]:
    """The results of every model under each condition, by the rules that count without it."""
    found: list[list[ConditionResult]] = [[] for _ in plan.models]
    for condition in conditions:
        say(f"evaluating again: {condition.name}")
        for k, predictions in enumerate(infer(plan, condition, _UNDER_CONDITIONS)):
            for (scope, name), own in _decisions(plan, k, predictions, rules[k]).items():
                scores, tuned = scores_of(own, plan.scopes[scope])
                found[k].append(
                    ConditionResult(condition=condition.name, set=name, scope=scope, scores=scores, tuned=tuned)
                )
    return found


def _excerpts(plan: Plan, rules: list[Rules]) -> list[ExcerptResult | None]:
    """IRMAS' test protocol for every model that knows its labels, where its test parts are among the recordings."""
    found: list[list[tuple[Predictions, FoldRules]]] = [[] for _ in plan.models]
    for place, fold in enumerate(plan.folds):
        clips = [clip for clip in fold.clips if excerpts.is_excerpt(clip)]
        able = plan.able(fold, excerpts.LABELS) if clips else {}
        networks = [(plan.models[k], predictor) for k, predictor in able.items()]
        for k, predictions in zip(able, excerpts.predict_excerpts(networks, clips, plan.library), strict=True):
            found[k].append((predictions, _widest(rules[k])[place]))
    return [_excerpt_result(model, own) if own else None for model, own in zip(plan.models, found, strict=True)]


def _excerpt_result(model: Model, folds: list[tuple[Predictions, FoldRules]]) -> ExcerptResult:
    """At own thresholds, and at those with the best F-measures, which the protocol uses, on excerpts of other folds."""
    tuned = cross_fit(fit_f_measure, [{_EXCERPTS: predictions} for predictions, _ in folds])
    parts = [(each, FoldRules(rules.own, one)) for (each, rules), one in zip(folds, tuned, strict=True)]
    return excerpts.score_excerpts(decide(model, parts, excerpts.LABELS))
