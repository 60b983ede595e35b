"""From answers to figures: a set at a time, by a candidate's own thresholds and by tuned ones."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.evaluate.bootstrap import intervals
from whoplays.training.evaluate.candidates import Candidate, Own
from whoplays.training.evaluate.exam import OTHERS
from whoplays.training.evaluate.findings import Judgement
from whoplays.training.evaluate.reliability import reliability
from whoplays.training.evaluate.scores import Probabilities, Scores, Thresholds, Truths, score, single_label_active
from whoplays.training.evaluate.sitting import Answers, Asked, Paper
from whoplays.training.evaluate.thresholds import GRID, fit_thresholds, most_right

_NOBODY: Final = "silence"
_FINE: Final = np.geomspace(0.0005, 0.05, 40)
_GRID: Final = np.unique(np.concatenate([_FINE, GRID, 1 - _FINE]))
"""Thresholds that are tried: a tagger of hundreds of classes seldom gives one of them much."""


Find = Callable[[list[Paper]], Thresholds | None]
_Rule = Callable[[Probabilities, Truths, NDArray[np.float64], NDArray[np.float64]], Thresholds]


class Marks(NamedTuple):
    """Thresholds for the answers to one share."""

    own: Own
    tuned: Thresholds | None
    """Of what the network gives, before any calibration of its own: the same for everybody."""


Marking = dict[str, list[Marks]]
"""What one candidate is judged by, by scope, for each share."""


class Marked(NamedTuple):
    """All answers to one set, of the labels in question only, and what they name; calibrated, where they are."""

    questions: list[Asked]
    probabilities: Probabilities
    truths: Truths
    active: Truths
    tuned: Truths | None

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Of each question, the groups of its parts."""
        return [question.groups for question in self.questions]

    @property
    def sources(self) -> list[tuple[str, ...]]:
        """Of each question, the sources of its parts."""
        return [question.sources for question in self.questions]


def by_f_measure(papers: list[Paper]) -> Thresholds | None:
    """The best F-measures of all answers but those to silence, each set counting alike; None without any."""
    return _fitted(fit_thresholds, papers, {_NOBODY})


def by_most_right(papers: list[Paper]) -> Thresholds | None:
    """The most answers right where anybody plays, each set counting alike; None without any."""
    return _fitted(most_right, papers, {_NOBODY, OTHERS})


def crosswise(find: Find, papers: list[Paper]) -> list[Thresholds | None]:
    """For each share, the thresholds that fit the answers to all others; None where there are none."""
    return [find([paper for paper in papers if paper is not own]) for own in papers]


def marking(own: list[Own], sheets: dict[str, list[Paper]]) -> Marking:
    """By scope, what each share is judged by: its own thresholds, and those tuned on the others in that scope.

    Other sounds have no say in the latter: these compare who ranks right, and what that costs in false alarms is told.
    """
    return {
        scope: [Marks(*each) for each in zip(own, crosswise(by_most_right, papers), strict=True)]
        for scope, papers in sheets.items()
    }


def _fitted(rule: _Rule, papers: list[Paper], left_out: set[str]) -> Thresholds | None:
    sets = {name for paper in papers for name in paper} - left_out
    if not sets:
        return None
    answers = [[paper[name] for paper in papers if name in paper] for name in sorted(sets)]
    sizes = [sum(len(answer.truths) for answer in each) for each in answers]
    return rule(
        np.concatenate([answer.probabilities for each in answers for answer in each]),
        np.concatenate([answer.truths for each in answers for answer in each]),
        np.concatenate([np.full(size, 1 / size) for size in sizes]),
        _GRID,
    )


def mark(candidate: Candidate, parts: list[tuple[Answers, Marks]], labels: tuple[str, ...]) -> Marked:
    """Join the shares of one set and name what plays: a single-label candidate, by itself, its most probable label."""
    columns = [candidate.labels.index(label) for label in labels]
    told = [(marks.own.told(answers.probabilities), marks.own.thresholds) for answers, marks in parts]
    probabilities = np.concatenate([one for one, _ in told])[:, columns]
    named = np.concatenate([one >= thresholds for one, thresholds in told])[:, columns]
    tuned = [answers.probabilities >= marks.tuned for answers, marks in parts if marks.tuned is not None]
    return Marked(
        questions=[question for answers, _ in parts for question in answers.questions],
        probabilities=probabilities,
        truths=np.concatenate([answers.truths for answers, _ in parts])[:, columns],
        active=named if candidate.task == "multi-label" else single_label_active(probabilities),
        tuned=np.concatenate(tuned)[:, columns] if len(tuned) == len(parts) else None,
    )


def figures(marked: Marked, labels: tuple[str, ...]) -> tuple[Scores, Scores | None]:
    """By own thresholds, and by tuned ones."""
    own = score(marked.probabilities, marked.active, marked.truths, labels)
    if marked.tuned is None:
        return own, None
    return own, score(marked.probabilities, marked.tuned, marked.truths, labels)


def judge(scope: str, name: str, marked: Marked, labels: tuple[str, ...]) -> Judgement:
    """Everything that is told of one set."""
    scores, tuned = figures(marked, labels)
    probabilities, truths = marked.probabilities, marked.truths
    solos = name == "solos"
    return Judgement(
        set=name,
        scope=scope,
        scores=scores,
        top1_by_source=_top1_by(lambda question: question.source, marked) if solos else {},
        top1_by_group=_top1_by(lambda question: " + ".join(question.groups), marked) if solos else {},
        confusion=_confusion(truths, single_label_active(probabilities) if solos else marked.active, labels),
        intervals=intervals(probabilities, marked.active, truths, marked.groups),
        tuned=tuned,
        tuned_intervals={} if marked.tuned is None else intervals(probabilities, marked.tuned, truths, marked.groups),
        reliability=reliability(probabilities, truths),
    )


def _top1_by(key: Callable[[Asked], str], marked: Marked) -> dict[str, float]:
    right: dict[str, list[bool]] = defaultdict(list)
    best = marked.probabilities.argmax(axis=1)
    for question, truth, k in zip(marked.questions, marked.truths, best, strict=True):
        right[key(question)].append(bool(truth[k]))
    return {name: float(np.mean(values)) for name, values in sorted(right.items())}


def _confusion(truths: Truths, active: Truths, labels: tuple[str, ...]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for truth, heard in zip(truths, active, strict=True):
        counts[_label_set(truth, labels)][_label_set(heard, labels)] += 1
    return counts


def _label_set(row: NDArray[np.bool_], labels: Sequence[str]) -> str:
    return " ".join(label for label, present in zip(labels, row, strict=True) if present) or "none"
