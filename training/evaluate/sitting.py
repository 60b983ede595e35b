"""Sitting exams: the same questions to all who are judged, each window made once."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from whoplays.training.data.library import Library
from whoplays.training.data.mixing import Windows
from whoplays.training.evaluate.candidates import Candidate, Judge
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.exam import Question
from whoplays.training.evaluate.scores import Probabilities, Truths
from whoplays.training.evaluate.silence import Silence

Asked = Question | Silence

_BATCH: Final = 16


class Answers(NamedTuple):
    """Probabilities that one network gave to one set."""

    questions: Sequence[Asked]
    probabilities: Probabilities
    truths: Truths

    @property
    def groups(self) -> list[tuple[str, ...]]:
        """Of each question, the groups of its parts."""
        return [question.groups for question in self.questions]


Paper = dict[str, Answers]
"""Answers to each set of an exam."""


def sit(
    judges: Sequence[tuple[Candidate, Judge]],
    sets: dict[str, Sequence[Asked]],
    library: Library,
    condition: Condition | None = None,
) -> list[Paper]:
    """Put every set to each of the judges, in their order; under a condition if one is given."""
    papers: list[Paper] = [{} for _ in judges]
    for name, questions in sets.items():
        answers: list[list[NDArray[np.float32]]] = [[] for _ in judges]
        for windows in _batches(questions, library, condition):
            for k, (_, judge) in enumerate(judges):
                answers[k].append(judge.probabilities(windows))
        for paper, (candidate, _), given in zip(papers, judges, answers, strict=True):
            truths = np.array([[label in question.labels for label in candidate.labels] for question in questions])
            paper[name] = Answers(questions, np.concatenate(given), truths)
    return papers


def _batches(questions: Sequence[Asked], library: Library, condition: Condition | None) -> Iterator[Windows]:
    """Windows in batches; what is drawn for a condition depends on the question's number alone."""
    for start in range(0, len(questions), _BATCH):
        windows = [question.audio(library) for question in questions[start : start + _BATCH]]
        if condition:
            windows = [condition.apply(w, np.random.default_rng(start + k)) for k, w in enumerate(windows)]
        yield np.stack(windows)
