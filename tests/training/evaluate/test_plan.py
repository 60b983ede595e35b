"""Which network predicts which recordings, and the remarks where the recordings do not give what one would expect."""

import msgspec
import numpy as np
import pytest

from tests.training.data.make_clips import clip
from tests.training.evaluate.made_models import Constant, constant
from whoplays.models.errors import DataError
from whoplays.models.labels import CORE
from whoplays.training.data.clip import Clip
from whoplays.training.data.library import Library
from whoplays.training.evaluate.evaluate import evaluate
from whoplays.training.evaluate.plan import divide, halved
from whoplays.training.evaluate.predictors import Model
from whoplays.training.evaluate.results import Report
from whoplays.training.run import groups

CLIPS = [clip(f"{k}", ["piano"], group=f"g{k}", source=f"s{k % 3}") for k in range(6)]


def cross_validated(name: str, *seen: set[str]) -> Model:
    predictors = tuple(Constant(f"{name}{k}", [0.1] * 4, groups) for k, groups in enumerate(seen))
    return Model(CORE, "multi-label", predictors, np.full(4, 0.5))


def names(models: list[Model]) -> list[tuple[list[str], list[str]]]:
    return [
        ([each.name for each in fold.predictors], [one.group for one in fold.clips]) for fold in divide(models, CLIPS)
    ]


def test_each_recording_goes_to_the_first_that_was_not_trained_on_it() -> None:
    assert names([cross_validated("a", {"g0", "g1"}, {"g2", "g3", "g4", "g5"})]) == [
        (["a0"], ["g2", "g3", "g4", "g5"]),
        (["a1"], ["g0", "g1"]),
    ]


def test_models_of_other_folds_predict_the_same_windows() -> None:
    first = cross_validated("a", {"g0", "g1", "g2"}, {"g3", "g4", "g5"})
    second = cross_validated("b", {"g0", "g3", "g4"}, {"g1", "g2", "g5"})
    assert names([first, second]) == [
        (["a0", "b0"], ["g5"]),
        (["a0", "b1"], ["g3", "g4"]),
        (["a1", "b0"], ["g1", "g2"]),
        (["a1", "b1"], ["g0"]),
    ]


def test_what_any_model_was_trained_on_is_left_out() -> None:
    assert names([constant("a"), constant("b", seen=["g0", "g5"])]) == [(["a", "b"], ["g1", "g2", "g3", "g4"])]
    with pytest.raises(DataError, match="was trained or calibrated on every one of these recordings"):
        divide([constant("a"), constant("b", seen=[one.group for one in CLIPS])], CLIPS)


def test_sources_that_share_all_their_groups_are_halved_by_group() -> None:
    clips = [
        clip(f"{source}{group}", ["piano"], group=f"g{group}", source=source) for source in "ab" for group in range(4)
    ]
    first, second = halved(divide([constant("a")], clips))
    assert {one.group for one in first.clips}.isdisjoint(one.group for one in second.clips)


def test_a_single_fold_is_halved_by_source_else_by_group() -> None:
    first, second = halved(divide([constant("a")], CLIPS))
    assert {one.source for one in first.clips}.isdisjoint({one.source for one in second.clips})
    assert sorted(one.group for one in (*first.clips, *second.clips)) == [one.group for one in CLIPS]
    single = divide([constant("a")], [one for one in CLIPS if one.source == "s0"])
    assert [[one.group for one in half.clips] for half in halved(single)] == [["g0"], ["g3"]]
    alone = divide([constant("a")], CLIPS[:1])
    assert halved(alone) == alone
    two = divide([cross_validated("a", {"g0"}, {"g1"})], CLIPS)
    assert halved(two) == two


def report(
    clips: list[Clip], library: Library, *sources: str, seen: list[Clip] | None = None, halve: bool = False
) -> Report:
    """Of a model that knows the core labels, on some sources and on what it was trained on."""
    given = [clip for clip in clips if clip.source in sources]
    model = constant("first", CORE, seen=groups(seen or []))
    return evaluate([model], [*(seen or []), *given], library, "tiny", halve=halve)


@pytest.mark.parametrize(
    ("players", "halve", "remarks"),
    [
        (3, False, ()),
        (2, False, ("no trios: they take soloists of three labels and as many sources",)),
        (1, False, ("mixes are of players from one source: there is no other",)),
        # Three sources in halves: two in the one, a single one in the other.
        (
            3,
            True,
            (
                "no trios in 1 of 2 folds: they take soloists of three labels and as many sources",
                "mixes in 1 of 2 folds are of players from one source: there is no other",
            ),
        ),
    ],
)
def test_mixes_that_are_not_as_expected_are_remarked_on(
    clips: list[Clip], library: Library, few: None, players: int, halve: bool, remarks: tuple[str, ...]
) -> None:
    found = report(clips, library, *(f"player {k}" for k in range(players)), halve=halve)
    assert found.remarks == remarks
    if players == 2:
        assert "trios" not in {result.set for result in found.results}


def test_what_holds_for_some_labels_only_is_said_of_them(clips: list[Clip], library: Library, few: None) -> None:
    """The cello, which is not one of the four, is from a third source."""
    cello = next(clip for clip in clips if clip.source == "player 2" and clip.labels)
    cellos = [msgspec.structs.replace(cello, labels=frozenset({"cello"}))]
    given = [clip for clip in clips if clip.source in {"player 0", "player 1"}]
    found = evaluate([constant("first")], [*given, *cellos], library, "tiny")
    assert found.remarks == ("no trios: they take soloists of three labels and as many sources (core labels)",)


def test_a_corpus_that_is_left_out_is_named(clips: list[Clip], library: Library, few: None) -> None:
    """Of another, one recording was trained on; it is counted only."""
    rendered = [msgspec.structs.replace(clip, group=clip.group.replace("tiny/", "rendered/")) for clip in clips]
    found = report(clips[1:], library, "player 0", "player 1", "player 2", seen=[*rendered, clips[0]])
    assert found.left_out == len(rendered) + 1
    assert found.remarks == ("all of rendered is left out: some model evaluated here was trained on it",)
