"""Who is asked what, and everybody's answers."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from whoplays.models.errors import DataError
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.candidates import Candidate, Judge
from whoplays.training.evaluate.conditions import Condition
from whoplays.training.evaluate.exam import scopes_of, set_exam
from whoplays.training.evaluate.shares import Share, divide, halved
from whoplays.training.evaluate.silence import silences
from whoplays.training.evaluate.sitting import Asked, Paper, sit

_SEED: Final = 7

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


def prepare(candidates: list[Candidate], clips: list[Clip], library: Library, *, halve: bool) -> Examination:
    """Exams on what nobody has heard, the same for all.

    Args:
        halve: where all recordings are one share, make it two.

    Raises:
        DataError: every recording was heard, or a candidate knows none of the exams' labels.
    """
    shares = divide(candidates, clips)
    shares = halved(shares) if halve else shares
    scopes = scopes_of(candidates[0].labels)
    for candidate in candidates:
        if not any(_knows(candidate, labels) for labels in scopes.values()):
            raise DataError(
                f"{candidate.name} knows other labels than {candidates[0].name}: {' '.join(candidate.labels)}"
            )
    exams = {scope: [_sets(library, share.clips, labels) for share in shares] for scope, labels in scopes.items()}
    return Examination(candidates, shares, scopes, exams, library)


def _sets(library: Library, clips: list[Clip], labels: tuple[str, ...]) -> Sets:
    return {**set_exam(library, clips, labels, _SEED).sets, "silence": silences()}


def _knows(candidate: Candidate, labels: tuple[str, ...]) -> bool:
    return set(labels) <= set(candidate.labels)


def able(examination: Examination, share: Share, labels: tuple[str, ...]) -> dict[int, tuple[Candidate, Judge]]:
    """Those who know these labels, by their place among the candidates."""
    each = enumerate(zip(examination.candidates, share.judges, strict=True))
    return {k: (candidate, judge) for k, (candidate, judge) in each if _knows(candidate, labels)}


def ask(examination: Examination, condition: Condition | None = None, only: Sequence[str] = ()) -> list[Sheets]:
    """Everybody's answers; under a condition if one is given, then those of the first scope.

    Args:
        only: the sets to ask; all unless given.
    """
    sheets: list[Sheets] = [{} for _ in examination.candidates]
    for scope in list(examination.scopes)[: 1 if condition else None]:
        for share, sets in zip(examination.shares, examination.exams[scope], strict=True):
            judges = able(examination, share, examination.scopes[scope])
            asked = {name: questions for name, questions in sets.items() if not only or name in only}
            papers = sit(list(judges.values()), asked, examination.library, condition)
            for k, paper in zip(judges, papers, strict=True):
                sheets[k].setdefault(scope, []).append(paper)
    return sheets
