"""Evaluation: runs sit exams on recordings that they have not heard."""

from collections import defaultdict
from typing import Final, NamedTuple

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import DataError
from models.labels import CORE
from training.clip import Clip
from training.exam import Exam, Question, set_exam
from training.fit import load
from training.library import Library
from training.recipe import Recipe
from training.run import RunFolder
from training.scores import Probabilities, Scores, Thresholds, Truths, fit_thresholds, score, single_label_active
from training.tagger import Tagger

_BATCH: Final = 16
_SEED: Final = 7


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How one set of an exam went."""

    set: str
    scope: str
    """`core` (the four core labels) or `all` (every label of the model)."""
    scores: Scores
    top1_by_source: dict[str, float]
    confusion: dict[str, dict[str, int]]
    """How often each true set of labels was heard as which set; for solos, as which single label."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What an evaluation found; kept in a run's `metrics.json` by the data it was found on."""

    data: str
    runs: tuple[str, ...]
    clips: int
    sources: int
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    """Per label, as judged by or as fitted; those of the latest report go on a model's card."""
    fitted: bool
    """Whether the thresholds were fitted in this evaluation, each run's on the answers of the others."""
    judgements: tuple[Judgement, ...]


class Answers(NamedTuple):
    """Probabilities that one run gave to one set."""

    questions: list[Question]
    probabilities: Probabilities
    truths: Truths


def evaluate(
    runs: list[RunFolder], clips: list[Clip], library: Library, data: str, thresholds: Thresholds | None
) -> Report:
    """Let each run judge the recordings it has not heard; a recording goes to the first such run.

    Args:
        data: what the report calls the recordings.
        thresholds: per label `[labels]`; unless given, fitted: each run's on the answers of the others.

    Raises:
        DataError: the runs differ in labels, every recording was heard, or thresholds are to be fitted to one run.
    """
    recipe = _common_recipe(runs)
    shares = _shares(runs, clips)
    if thresholds is None and len(shares) < 2:
        raise DataError("thresholds are fitted across runs: give two or more that held out different folds")
    scopes = _scopes(recipe)
    papers = {
        scope: [_sit(run, set_exam(library, share, labels, _SEED), library) for run, share in shares]
        for scope, labels in scopes.items()
    }
    widest = papers[next(reversed(scopes))]
    marks = [_thresholds(thresholds, [paper for paper in widest if paper is not own]) for own in widest]
    return Report(
        data=data,
        runs=tuple(run.name for run, _ in shares),
        clips=sum(len(share) for _, share in shares),
        sources=len({clip.source for _, share in shares for clip in share}),
        labels=recipe.labels,
        thresholds=tuple(_thresholds(thresholds, widest).round(4).tolist()),
        fitted=thresholds is None,
        judgements=tuple(
            _judge(scope, name, list(zip(sat, marks, strict=True)), recipe, scopes[scope])
            for scope, sat in papers.items()
            for name in dict.fromkeys(name for paper in sat for name in paper)
        ),
    )


def _common_recipe(runs: list[RunFolder]) -> Recipe:
    recipes = [run.config().recipe for run in runs]
    if any((one.labels, one.task) != (recipes[0].labels, recipes[0].task) for one in recipes):
        raise DataError("only runs of the same labels and task can be judged together")
    return recipes[0]


def _scopes(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    core = tuple(label for label in recipe.labels if label in CORE)
    scopes = {"core": core} if core else {}
    return scopes if core == recipe.labels else {**scopes, "all": recipe.labels}


def _shares(runs: list[RunFolder], clips: list[Clip]) -> list[tuple[RunFolder, list[Clip]]]:
    shares: list[tuple[RunFolder, list[Clip]]] = []
    left = clips
    for run in runs:
        config = run.config()
        heard = {*config.train, *config.validation}
        shares.append((run, [clip for clip in left if clip.group not in heard]))
        left = [clip for clip in left if clip.group in heard]
    shares = [(run, share) for run, share in shares if share]
    if not shares:
        raise DataError("every one of these recordings was heard in training; give others, or runs that held them out")
    return shares


def _sit(run: RunFolder, exam: Exam, library: Library) -> dict[str, Answers]:
    tagger = load(run.config().recipe, run.best_checkpoint())
    return {name: _answer(tagger, questions, library) for name, questions in exam.sets.items()}


def _answer(tagger: Tagger, questions: list[Question], library: Library) -> Answers:
    batches = [questions[start : start + _BATCH] for start in range(0, len(questions), _BATCH)]
    probabilities: list[NDArray[np.float32]] = []
    for batch in batches:
        audio = torch.from_numpy(np.stack([question.audio(library) for question in batch]))
        with torch.inference_mode():
            probabilities.append(tagger(audio).numpy())
    truths = np.array([[label in question.labels for label in tagger.recipe.labels] for question in questions])
    return Answers(questions, np.concatenate(probabilities), truths)


def _thresholds(given: Thresholds | None, papers: list[dict[str, Answers]]) -> Thresholds:
    """The thresholds given, or else those that fit these answers best, each set of questions counting alike."""
    if given is not None:
        return given
    answers = [answers for paper in papers for answers in paper.values()]
    return fit_thresholds(
        np.concatenate([answer.probabilities for answer in answers]),
        np.concatenate([answer.truths for answer in answers]),
        np.concatenate([np.full(len(answer.truths), 1 / len(answer.truths)) for answer in answers]),
    )


def _judge(
    scope: str,
    name: str,
    papers: list[tuple[dict[str, Answers], Thresholds]],
    recipe: Recipe,
    labels: tuple[str, ...],
) -> Judgement:
    columns = [recipe.labels.index(label) for label in labels]
    answers = [(paper[name], thresholds) for paper, thresholds in papers if name in paper]
    probabilities = np.concatenate([answer.probabilities for answer, _ in answers])[:, columns]
    truths = np.concatenate([answer.truths for answer, _ in answers])[:, columns]
    named = np.concatenate([answer.probabilities >= thresholds for answer, thresholds in answers])[:, columns]
    active = named if recipe.task == "multi-label" else single_label_active(probabilities)
    questions = [question for answer, _ in answers for question in answer.questions]
    return Judgement(
        set=name,
        scope=scope,
        scores=score(probabilities, active, truths, labels),
        top1_by_source=_by_source(questions, probabilities, truths) if name == "solos" else {},
        confusion=_confusion(truths, single_label_active(probabilities) if name == "solos" else active, labels),
    )


def _by_source(questions: list[Question], probabilities: Probabilities, truths: Truths) -> dict[str, float]:
    right: dict[str, list[bool]] = defaultdict(list)
    for row, question in enumerate(questions):
        right[question.source].append(bool(truths[row, probabilities[row].argmax()]))
    return {source: float(np.mean(values)) for source, values in sorted(right.items())}


def _confusion(truths: Truths, active: Truths, labels: tuple[str, ...]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for truth, heard in zip(truths, active, strict=True):
        counts[_label_set(truth, labels)][_label_set(heard, labels)] += 1
    return counts


def _label_set(row: NDArray[np.bool_], labels: tuple[str, ...]) -> str:
    return " ".join(label for label, present in zip(labels, row, strict=True) if present) or "none"
