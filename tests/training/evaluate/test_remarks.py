"""What is said where an examination is not what the recordings seemed to promise."""

import msgspec
import pytest

from tests.training.evaluate.made_judges import constant
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.findings import Report
from whoplays.training.report import accuracy as page
from whoplays.training.run import groups

pytestmark = pytest.mark.usefixtures("few")


def told(
    clips: list[Clip], library: Library, *sources: str, heard: list[Clip] | None = None, halve: bool = False
) -> Report:
    """What a candidate that knows the core labels is judged by, asked about some sources and what it has heard."""
    asked = [clip for clip in clips if clip.source in sources]
    judged = constant("first", ("gac", "pia", "tru", "vio"), heard=groups(heard or []))
    return evaluate([judged], [*(heard or []), *asked], library, "tiny", halve=halve)


def test_where_all_is_as_expected_nothing_is_said(clips: list[Clip], library: Library) -> None:
    assert told(clips, library, "player 0", "player 1", "player 2").remarks == ()


def test_of_two_sources_there_are_no_trios_and_that_is_said(clips: list[Clip], library: Library) -> None:
    found = told(clips, library, "player 0", "player 1")
    assert "trios" not in {judgement.set for judgement in found.judgements}
    assert found.remarks == ("no trios: they take soloists of three labels and as many sources",)


def test_mixes_within_one_source_are_told_as_such(clips: list[Clip], library: Library) -> None:
    found = told(clips, library, "player 0")
    assert found.remarks == ("mixes are of players from one source: there is no other",)
    assert "Mixes are of players from one source: there is no other." in page._who(found)


def test_of_several_exams_it_is_said_in_how_many(clips: list[Clip], library: Library) -> None:
    """Three sources in halves: two in the one, a single one in the other."""
    assert told(clips, library, "player 0", "player 1", "player 2", halve=True).remarks == (
        "no trios in 1 of 2 exams: they take soloists of three labels and as many sources",
        "mixes in 1 of 2 exams are of players from one source: there is no other",
    )


def test_what_holds_for_some_labels_only_is_said_of_them(clips: list[Clip], library: Library) -> None:
    """The cello, which is not one of the four, is from a third source."""
    cello = next(clip for clip in clips if clip.source == "player 2" and clip.labels)
    cellos = [msgspec.structs.replace(cello, labels=frozenset({"cel"}))]
    asked = [clip for clip in clips if clip.source in {"player 0", "player 1"}]
    found = evaluate([constant("first")], [*asked, *cellos], library, "tiny")
    assert found.remarks == ("no trios: they take soloists of three labels and as many sources (core labels)",)


def test_a_corpus_of_which_nothing_is_asked_is_named(clips: list[Clip], library: Library) -> None:
    """Of another, one recording was heard; it is counted only."""
    rendered = [msgspec.structs.replace(clip, group=clip.group.replace("tiny/", "rendered/")) for clip in clips]
    found = told(clips[1:], library, "player 0", "player 1", "player 2", heard=[*rendered, clips[0]])
    assert found.left_out == len(rendered) + 1
    assert found.remarks == ("all of rendered is left out: someone judged here has heard it",)
