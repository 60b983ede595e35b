import numpy as np
import pytest

from tests.training.data.make_clips import clip
from tests.training.evaluate.made_judges import Constant, constant
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training.evaluate.candidates import Candidate
from whoplays.training.evaluate.shares import divide, halved

CLIPS = [clip(f"{k}", ["pia"], group=f"g{k}", source=f"s{k % 3}") for k in range(6)]


def folds(name: str, *heard: set[str]) -> Candidate:
    judges = tuple(Constant(f"{name}{k}", [0.1] * 4, groups) for k, groups in enumerate(heard))
    return Candidate(CORE, "multi-label", judges, np.full(4, 0.5))


def names(candidates: list[Candidate]) -> list[tuple[list[str], list[str]]]:
    return [
        ([judge.name for judge in share.judges], [c.group for c in share.clips]) for share in divide(candidates, CLIPS)
    ]


def test_each_recording_goes_to_the_first_that_has_not_heard_it() -> None:
    assert names([folds("a", {"g0", "g1"}, {"g2", "g3", "g4", "g5"})]) == [
        (["a0"], ["g2", "g3", "g4", "g5"]),
        (["a1"], ["g0", "g1"]),
    ]


def test_candidates_of_other_folds_answer_the_same_questions() -> None:
    first = folds("a", {"g0", "g1", "g2"}, {"g3", "g4", "g5"})
    second = folds("b", {"g0", "g3", "g4"}, {"g1", "g2", "g5"})
    assert names([first, second]) == [
        (["a0", "b0"], ["g5"]),
        (["a0", "b1"], ["g3", "g4"]),
        (["a1", "b0"], ["g1", "g2"]),
        (["a1", "b1"], ["g0"]),
    ]


def test_what_anyone_has_heard_is_asked_of_nobody() -> None:
    assert names([constant("a"), constant("b", heard=["g0", "g5"])]) == [(["a", "b"], ["g1", "g2", "g3", "g4"])]
    with pytest.raises(DataError, match="every one of these recordings was heard in training"):
        divide([constant("a"), constant("b", heard=[one.group for one in CLIPS])], CLIPS)


def test_sources_that_share_all_their_groups_are_halved_by_group() -> None:
    clips = [
        clip(f"{source}{group}", ["pia"], group=f"g{group}", source=source) for source in "ab" for group in range(4)
    ]
    first, second = halved(divide([constant("a")], clips))
    assert {one.group for one in first.clips}.isdisjoint(one.group for one in second.clips)


def test_a_lone_share_is_halved_by_source_else_by_group() -> None:
    first, second = halved(divide([constant("a")], CLIPS))
    assert {one.source for one in first.clips}.isdisjoint({one.source for one in second.clips})
    assert sorted(one.group for one in (*first.clips, *second.clips)) == [one.group for one in CLIPS]
    single = divide([constant("a")], [one for one in CLIPS if one.source == "s0"])
    assert [[one.group for one in half.clips] for half in halved(single)] == [["g0"], ["g3"]]
    alone = divide([constant("a")], CLIPS[:1])
    assert halved(alone) == alone
    two = divide([folds("a", {"g0"}, {"g1"})], CLIPS)
    assert halved(two) == two
