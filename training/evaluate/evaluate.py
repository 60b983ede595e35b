"""Evaluation: candidates sit the same exams, on recordings that none of them has heard."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from whoplays.models.errors import DataError
from whoplays.training.console import counted
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate import excerpts
from whoplays.training.evaluate.candidates import Candidate, Own
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.differences import differences
from whoplays.training.evaluate.exam import OTHERS
from whoplays.training.evaluate.examination import Examination, Sheets, able, ask, prepare
from whoplays.training.evaluate.findings import Excerpts, Hearing, Report
from whoplays.training.evaluate.marking import (
    Marked,
    Marking,
    Marks,
    by_f_measure,
    crosswise,
    figures,
    judge,
    mark,
    marking,
)
from whoplays.training.evaluate.remarks import remarks
from whoplays.training.evaluate.scores import Thresholds
from whoplays.training.evaluate.sitting import Paper
from whoplays.training.run import groups

_UNDER_CONDITIONS: Final = ("solos", "pairs", OTHERS)

Say = Callable[[str], None]
Answered = dict[tuple[str, str], Marked]
"""One candidate's answers by scope and set, all shares together."""
T = TypeVar("T")


def evaluate(
    candidates: list[Candidate],
    clips: list[Clip],
    library: Library,
    data: str,
    *,
    fit: bool = False,
    halve: bool = False,
    conditions: Sequence[Condition] = (),
    say: Say = lambda _: None,
) -> Report:
    """Put the same questions, about recordings that nobody has heard, to every candidate.

    Args:
        data: what the report calls the recordings.
        fit: judge the first candidate by thresholds fitted here, those of each share on the answers to the others; not
            where it was calibrated, which counts.
        halve: where all recordings are one share, make it two, so that thresholds can be tuned.
        conditions: what to put solos, pairs and other sounds under once more.
        say: told what is being done.

    Returns:
        The report of the first candidate; it holds those of the others.

    Raises:
        DataError: every recording was heard, or thresholds are to be fitted where there is one group of recordings, or
            nothing to be asked about but in one.
    """
    examination = prepare(candidates, clips, library, halve=fit or halve)
    if fit and len(examination.shares) < 2:
        raise DataError("thresholds are fitted across groups of recordings; these are a single group")
    say(f"asking about {counted(sum(len(share.clips) for share in examination.shares), 'recording')}")
    sheets = ask(examination)
    marks = [marking(_own(examination, k, own, fit=fit and k == 0), own) for k, own in enumerate(sheets)]
    if len(examination.shares) > 1 and any(_untuned(own) for own in marks):
        say("for some labels only one share of the recordings holds anybody who plays: there no thresholds are tuned")
    hearings = _hear(examination, marks, conditions, say)
    irmas = _excerpts(examination, marks)
    answered = [_answered(examination, k, own, marks[k]) for k, own in enumerate(sheets)]
    fitted = [by_f_measure(_widest(own)) if fit and k == 0 else None for k, own in enumerate(sheets)]
    first, *others = (
        msgspec.structs.replace(
            _report(examination, k, answered[k], fitted[k], data=data, asked=len(clips)),
            hearings=tuple(hearings[k]),
            excerpts=irmas[k],
        )
        for k in range(len(candidates))
    )
    gaps = [
        each
        for other, theirs in zip(others, answered[1:], strict=True)
        for each in differences(answered[0], theirs, other.name)
    ]
    told = tuple(remarks(examination, clips))
    return msgspec.structs.replace(first, against=tuple(others), differences=tuple(gaps), remarks=told)


def _own(examination: Examination, k: int, sheets: Sheets, *, fit: bool) -> list[Own]:
    """A candidate's own thresholds for each share; if fitted here, on the answers of the widest scope."""
    candidate = examination.candidates[k]
    if candidate.calibrated or not fit:
        return [candidate.own(share.judges[k]) for share in examination.shares]
    found = [Own(thresholds) for thresholds in crosswise(by_f_measure, _widest(sheets)) if thresholds is not None]
    if len(found) < len(examination.shares):
        raise DataError("thresholds are fitted across shares of the recordings; only one holds anything to ask about")
    return found


def _untuned(marks: Marking) -> bool:
    return any(each.tuned is None for shares in marks.values() for each in shares)


def _widest(sheets: dict[str, T]) -> T:
    """That of the scope with most labels."""
    return sheets[next(reversed(sheets))]


def _answered(examination: Examination, k: int, sheets: Sheets, marks: Marking) -> Answered:
    """What one candidate answered, each share by its thresholds."""
    found: Answered = {}
    for scope, papers in sheets.items():
        for name in dict.fromkeys(name for paper in papers for name in paper):
            parts = [(paper[name], own) for paper, own in zip(papers, marks[scope], strict=True) if name in paper]
            found[scope, name] = mark(examination.candidates[k], parts, examination.scopes[scope])
    return found


def _report(
    examination: Examination, k: int, answered: Answered, fitted: Thresholds | None, *, data: str, asked: int
) -> Report:
    candidate, shares = examination.candidates[k], examination.shares
    clips = [clip for share in shares for clip in share.clips]
    return Report(
        data=data,
        runs=tuple(dict.fromkeys(share.judges[k].name for share in shares)),
        recipe=candidate.recipe,
        clips=len(clips),
        sources=len({clip.source for clip in clips}),
        groups=len(groups(clips)),
        shares=len(shares),
        left_out=asked - len(clips),
        labels=candidate.labels,
        thresholds=tuple((candidate.thresholds if fitted is None else fitted).round(4).tolist()),
        fitted=fitted is not None,
        fitted_groups=() if fitted is None else groups(clips),
        calibrated=bool(candidate.calibrated),
        judgements=tuple(
            judge(scope, name, marked, examination.scopes[scope]) for (scope, name), marked in answered.items()
        ),
    )


def _hear(
    examination: Examination, marks: list[Marking], conditions: Sequence[Condition], say: Say
) -> list[list[Hearing]]:
    """Everybody's figures under each condition, by the thresholds that count without it."""
    heard: list[list[Hearing]] = [[] for _ in examination.candidates]
    for condition in conditions:
        say(f"asking again: {condition.name}")
        for k, sheets in enumerate(ask(examination, condition, _UNDER_CONDITIONS)):
            for (scope, name), marked in _answered(examination, k, sheets, marks[k]).items():
                scores, tuned = figures(marked, examination.scopes[scope])
                heard[k].append(Hearing(condition=condition.name, set=name, scope=scope, scores=scores, tuned=tuned))
    return heard


def _excerpts(examination: Examination, marks: list[Marking]) -> list[Excerpts | None]:
    """IRMAS' test protocol for all who know its labels, where its test parts are among the recordings."""
    papers: list[list[tuple[Paper, Marks]]] = [[] for _ in examination.candidates]
    for place, share in enumerate(examination.shares):
        clips = [clip for clip in share.clips if excerpts.is_excerpt(clip)]
        judges = able(examination, share, excerpts.LABELS) if clips else {}
        sat = excerpts.sit_excerpts(list(judges.values()), clips, examination.library)
        for k, paper in zip(judges, sat, strict=True):
            papers[k].append((paper, _widest(marks[k])[place]))
    return [
        _told(candidate, own) if own else None for candidate, own in zip(examination.candidates, papers, strict=True)
    ]


def _told(candidate: Candidate, papers: list[tuple[Paper, Marks]]) -> Excerpts:
    """By own thresholds, and by those with the best F-measures, which are what is told, on excerpts of other shares."""
    tuned = crosswise(by_f_measure, [paper for paper, _ in papers])
    parts = [(paper[excerpts.SET], Marks(marks.own, one)) for (paper, marks), one in zip(papers, tuned, strict=True)]
    return excerpts.told(mark(candidate, parts, excerpts.LABELS))
