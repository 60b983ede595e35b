from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from tests.training.data.make_clips import clip, many_clips
from whoplays.training.data.clip import Clip
from whoplays.training.data.splits import Splits, by_group, holding_out

seeds = st.integers(0, 1000)


def groups(clips: list[Clip]) -> set[str]:
    return {clip.group for clip in clips}


@given(many_clips(), seeds)
def test_no_group_is_in_two_splits(clips: list[Clip], seed: int) -> None:
    splits = by_group(clips, seed)
    train, validation, test = map(groups, splits)
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert sorted(clip.path for part in splits for clip in part) == sorted(clip.path for clip in clips)


@given(
    st.dictionaries(st.sampled_from(("cello", "flute", "acoustic guitar", "piano")), st.integers(1, 30), min_size=1),
    seeds,
)
def test_every_label_has_its_share_of_every_split(counts: dict[str, int], seed: int) -> None:
    clips = [clip(f"{label}{index}", [label]) for label, count in counts.items() for index in range(count)]
    splits = by_group(clips, seed)
    held = [_count(part) for part in splits]
    for label, count in counts.items():
        train, validation, test = (part[label] for part in held)
        assert train >= 1
        assert test >= (count >= 2)
        assert validation >= (count >= 3)
        if count >= 5:
            assert abs(test - count / 5) <= 0.5
            assert abs(validation - count / 5) <= 0.5


@given(many_clips(), seeds)
def test_the_largest_group_of_each_kind_is_trained_on(clips: list[Clip], seed: int) -> None:
    members: dict[str, list[Clip]] = defaultdict(list)
    for one in clips:
        members[one.group].append(one)
    largest = max(members, key=lambda group: (len(members[group]), group))
    trained = groups(by_group(clips, seed).train)
    assert any(group in trained for group in members if len(members[group]) == len(members[largest]))


@given(many_clips(), seeds)
def test_the_same_seed_splits_alike(clips: list[Clip], seed: int) -> None:
    assert by_group(clips, seed) == by_group(clips, seed)


@given(many_clips(), st.integers(2, 4), st.data())
def test_no_group_is_on_both_sides_of_a_fold(clips: list[Clip], folds: int, data: st.DataObject) -> None:
    """Nor any source, though groups may have clips of several sources."""
    splits = holding_out(clips, data.draw(st.integers(1, folds)), folds)
    assert not groups(splits.train) & groups(splits.test)
    assert not {clip.source for clip in splits.train} & {clip.source for clip in splits.test}
    assert sorted(clip.path for part in splits for clip in part) == sorted(clip.path for clip in clips)


def test_another_seed_splits_otherwise() -> None:
    clips = [clip(f"clip{index}", ["piano"]) for index in range(30)]
    assert by_group(clips, 1) != by_group(clips, 2)


@given(many_clips(), st.integers(2, 4))
def test_folds_share_out_the_sources(clips: list[Clip], folds: int) -> None:
    splits = [holding_out(clips, fold, folds) for fold in range(1, folds + 1)]
    held = sorted(clip.path for part in splits for clip in part.test)
    assert held == sorted(clip.path for clip in clips)
    for part in splits:
        assert part.validation == []
        assert len(part.train) + len(part.test) == len(clips)
        assert not {clip.source for clip in part.train} & {clip.source for clip in part.test}


def test_folds_share_out_the_labels() -> None:
    clips = [
        clip(f"{label}{index}", [label], source=f"{label}{index}") for label in ("piano", "violin") for index in (0, 1)
    ]
    assert _count(holding_out(clips, 1, 2).test) == {"piano": 1, "violin": 1}


def test_a_single_group_is_trained_on() -> None:
    one = clip("one", ["piano"])
    assert by_group([one], seed=1) == Splits([one], [], [])


def _count(clips: list[Clip]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for one in clips:
        for label in one.labels:
            counts[label] += 1
    return counts
