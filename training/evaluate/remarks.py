"""What of an examination is not as one would expect from the recordings that were given, a sentence each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from whoplays.training.data.clip import Clip
from whoplays.training.evaluate.exam import MIX_SIZES
from whoplays.training.evaluate.examination import Examination, Sets

_NUMBERS: Final = {2: "two", 3: "three"}


def remarks(examination: Examination, clips: list[Clip]) -> Iterator[str]:
    """Corpora of which nothing is asked, mixes that cannot be made, and those within a single source.

    Args:
        clips: all recordings that were given.
    """
    asked = {_corpus(clip) for share in examination.shares for clip in share.clips}
    for name in dict.fromkeys(map(_corpus, clips)):
        if name not in asked:
            yield f"all of {name} is left out: someone judged here has heard it"
    scopes: dict[str, list[str]] = defaultdict(list)
    for scope, exams in examination.exams.items():
        for remark in _of_mixes(exams):
            scopes[remark].append(scope)
    for remark, found in scopes.items():
        yield remark if len(found) == len(examination.exams) else f"{remark} ({found[0]} labels)"


def _of_mixes(exams: Sequence[Sets]) -> Iterator[str]:
    played = [sets for sets in exams if "solos" in sets]
    for name, size in MIX_SIZES.items():
        without = sum(name not in sets for sets in played)
        if without:
            where = _where(without, len(exams))
            yield f"no {name}{where}: they take soloists of {_NUMBERS[size]} labels and as many sources"
    alone = sum(len(_sources(sets)) == 1 and bool(MIX_SIZES.keys() & sets) for sets in played)
    if alone:
        yield f"mixes{_where(alone, len(exams))} are of players from one source: there is no other"


def _where(count: int, exams: int) -> str:
    return "" if count == exams else f" in {count} of {exams} exams"


def _sources(sets: Sets) -> set[str]:
    return {source for question in sets["solos"] for source in question.sources}


def _corpus(clip: Clip) -> str:
    return clip.group.partition("/")[0]
