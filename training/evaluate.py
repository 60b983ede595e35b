"""Evaluation: candidates sit the same exams, on recordings that none of them has heard."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from models.errors import DataError
from models.labels import CORE
from training import excerpts
from training.candidates import Candidate, Judge, Own
from training.clip import Clip
from training.conditions import Condition
from training.exam import set_exam
from training.findings import Excerpts, Hearing, Report
from training.judging import Marks, cross_tuned, figures, judge, mark, tune
from training.library import Library
from training.shares import Share, divide, halved
from training.silence import silences
from training.sitting import Answers, Asked, Paper, sit

_SEED: Final = 7
_UNDER_CONDITIONS: Final = ("solos", "pairs", "other sounds")

Say = Callable[[str], None]
Sets = dict[str, Sequence[Asked]]
Sheets = dict[str, list[Paper]]
"""One candidate's answers: by scope, a paper for each share."""


class Examination(NamedTuple):
    """Who is asked what."""

    candidates: list[Candidate]
    shares: list[Share]
    scopes: dict[str, tuple[str, ...]]
    exams: dict[str, list[Sets]]
    """By scope, the sets of each share."""
    library: Library


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
    examination = _prepare(candidates, clips, library, halve=fit or halve)
    if fit and len(examination.shares) < 2:
        raise DataError("thresholds are fitted across groups of recordings; these are a single group")
    say(f"asking about {sum(len(share.clips) for share in examination.shares)} recordings")
    sheets = _ask(examination)
    marks = [_marks(examination, k, own, fit=fit and k == 0) for k, own in enumerate(sheets)]
    if len(examination.shares) > 1 and any(each.tuned is None for own in marks for each in own):
        say("only one share of the recordings holds anything to ask about: for that one no thresholds are tuned")
    hearings = _hear(examination, marks, conditions, say)
    irmas = _excerpts(examination, marks)
    reports = [
        _report(examination, k, sheets[k], marks[k], data=data, asked=len(clips), fitted=fit and k == 0)
        for k in range(len(candidates))
    ]
    told = [
        msgspec.structs.replace(report, hearings=tuple(heard), excerpts=excerpt)
        for report, heard, excerpt in zip(reports, hearings, irmas, strict=True)
    ]
    return msgspec.structs.replace(told[0], against=tuple(told[1:]))


def _prepare(candidates: list[Candidate], clips: list[Clip], library: Library, *, halve: bool) -> Examination:
    shares = divide(candidates, clips)
    shares = halved(shares) if halve else shares
    scopes = _scopes(candidates[0].labels)
    for candidate in candidates:
        if not any(_knows(candidate, labels) for labels in scopes.values()):
            raise DataError(
                f"{candidate.name} knows other labels than {candidates[0].name}: {' '.join(candidate.labels)}"
            )
    exams = {scope: [_sets(library, share.clips, labels) for share in shares] for scope, labels in scopes.items()}
    return Examination(candidates, shares, scopes, exams, library)


def _scopes(labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    core = tuple(label for label in labels if label in CORE)
    scopes = {"core": core} if core else {}
    return scopes if core == labels else {**scopes, "all": labels}


def _sets(library: Library, clips: list[Clip], labels: tuple[str, ...]) -> Sets:
    return {**set_exam(library, clips, labels, _SEED).sets, "silence": silences()}


def _knows(candidate: Candidate, labels: tuple[str, ...]) -> bool:
    return set(labels) <= set(candidate.labels)


def _able(examination: Examination, share: Share, labels: tuple[str, ...]) -> dict[int, tuple[Candidate, Judge]]:
    """Those who know these labels, by their place among the candidates."""
    each = enumerate(zip(examination.candidates, share.judges, strict=True))
    return {k: (candidate, judge) for k, (candidate, judge) in each if _knows(candidate, labels)}


def _ask(examination: Examination, condition: Condition | None = None, only: Sequence[str] = ()) -> list[Sheets]:
    """Everybody's answers; under a condition if one is given, then those of the first scope.

    Args:
        only: the sets to ask; all unless given.
    """
    sheets: list[Sheets] = [{} for _ in examination.candidates]
    for scope in list(examination.scopes)[: 1 if condition else None]:
        for share, sets in zip(examination.shares, examination.exams[scope], strict=True):
            able = _able(examination, share, examination.scopes[scope])
            asked = {name: questions for name, questions in sets.items() if not only or name in only}
            papers = sit(list(able.values()), asked, examination.library, condition)
            for k, paper in zip(able, papers, strict=True):
                sheets[k].setdefault(scope, []).append(paper)
    return sheets


def _marks(examination: Examination, k: int, sheets: Sheets, *, fit: bool) -> list[Marks]:
    """What each share is judged by; thresholds are tuned on the answers of the widest scope."""
    candidate = examination.candidates[k]
    tuned = cross_tuned(sheets[next(reversed(sheets))])
    own = [candidate.own(share.judges[k]) for share in examination.shares]
    if fit and not candidate.calibrated:
        own = [Own(thresholds) for thresholds in tuned if thresholds is not None]
    if len(own) < len(tuned):
        raise DataError("thresholds are fitted across shares of the recordings; only one holds anything to ask about")
    return [Marks(*each) for each in zip(own, tuned, strict=True)]


def _report(
    examination: Examination, k: int, sheets: Sheets, marks: list[Marks], *, data: str, asked: int, fitted: bool
) -> Report:
    candidate, shares = examination.candidates[k], examination.shares
    clips = [clip for share in shares for clip in share.clips]
    thresholds = tune(sheets[next(reversed(sheets))]) if fitted else None
    return Report(
        data=data,
        runs=tuple(dict.fromkeys(share.judges[k].name for share in shares)),
        clips=len(clips),
        sources=len({clip.source for clip in clips}),
        groups=len({clip.group for clip in clips}),
        shares=len(shares),
        left_out=asked - len(clips),
        labels=candidate.labels,
        thresholds=tuple((candidate.thresholds if thresholds is None else thresholds).round(4).tolist()),
        fitted=fitted,
        calibrated=bool(candidate.calibrated),
        judgements=tuple(
            judge(scope, name, mark(candidate, _parts(papers, marks, name), labels), labels)
            for scope, papers in sheets.items()
            for labels in [examination.scopes[scope]]
            for name in dict.fromkeys(name for paper in papers for name in paper)
        ),
    )


def _parts(papers: list[Paper], marks: list[Marks], name: str) -> list[tuple[Answers, Marks]]:
    """The answers to one set, each share's with its thresholds."""
    return [(paper[name], own) for paper, own in zip(papers, marks, strict=True) if name in paper]


def _hear(
    examination: Examination, marks: list[list[Marks]], conditions: Sequence[Condition], say: Say
) -> list[list[Hearing]]:
    """Everybody's figures under each condition, by the thresholds that count without it."""
    heard: list[list[Hearing]] = [[] for _ in examination.candidates]
    for condition in conditions:
        say(f"asking again: {condition.name}")
        for k, sheets in enumerate(_ask(examination, condition, _UNDER_CONDITIONS)):
            heard[k] += [
                _hearing(examination, k, condition.name, scope, name, _parts(papers, marks[k], name))
                for scope, papers in sheets.items()
                for name in dict.fromkeys(name for paper in papers for name in paper)
            ]
    return heard


def _hearing(
    examination: Examination, k: int, condition: str, scope: str, name: str, parts: list[tuple[Answers, Marks]]
) -> Hearing:
    labels = examination.scopes[scope]
    scores, tuned = figures(mark(examination.candidates[k], parts, labels), labels)
    return Hearing(condition=condition, set=name, scope=scope, scores=scores, tuned=tuned)


def _excerpts(examination: Examination, marks: list[list[Marks]]) -> list[Excerpts | None]:
    """IRMAS' test protocol for all who know its labels, where its test parts are among the recordings."""
    papers: list[list[tuple[Paper, Marks]]] = [[] for _ in examination.candidates]
    for place, share in enumerate(examination.shares):
        clips = [clip for clip in share.clips if excerpts.is_excerpt(clip)]
        able = _able(examination, share, excerpts.LABELS) if clips else {}
        sat = excerpts.sit_excerpts(list(able.values()), clips, examination.library)
        for k, paper in zip(able, sat, strict=True):
            papers[k].append((paper, marks[k][place]))
    return [
        _told(candidate, own) if own else None for candidate, own in zip(examination.candidates, papers, strict=True)
    ]


def _told(candidate: Candidate, papers: list[tuple[Paper, Marks]]) -> Excerpts:
    """By own thresholds, and by those tuned on the excerpts of other shares."""
    tuned = cross_tuned([paper for paper, _ in papers])
    parts = [(paper[excerpts.SET], Marks(marks.own, one)) for (paper, marks), one in zip(papers, tuned, strict=True)]
    return excerpts.told(mark(candidate, parts, excerpts.LABELS))
