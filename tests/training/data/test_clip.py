import msgspec
import pytest

from tests.training.data.make_clips import clip
from whoplays.training.data.clip import Segment


def stretch(start_s: float, end_s: float, *labels: str) -> Segment:
    return Segment(start_s=start_s, end_s=end_s, labels=frozenset(labels))


DUO = msgspec.structs.replace(
    clip("duo", ["piano", "violin"]),
    timeline=(stretch(0, 10, "piano"), stretch(4, 7, "violin"), stretch(6, 8, "violin", "piano")),
)


@pytest.mark.parametrize(
    ("start_s", "end_s", "heard"),
    [
        (0, 3, {"piano"}),
        (3, 6, {"piano", "violin"}),
        (1.4, 4.4, None),  # 0.4 s of violin: too short to be named, too long to be denied
        (1.5, 4.5, {"piano", "violin"}),
        (7.5, 10.5, {"piano", "violin"}),
        (8, 11, {"piano"}),
        (10, 13, set()),
    ],
)
def test_a_window_holds_what_sounds_for_half_a_second(start_s: float, end_s: float, heard: set[str] | None) -> None:
    assert DUO.labels_between(start_s, end_s) == (None if heard is None else frozenset(heard))


def test_when_any_of_its_labels_plays() -> None:
    assert DUO.playing_s() == [(0, 10)]
    gaps = msgspec.structs.replace(
        DUO, timeline=(stretch(5, 6, "violin"), stretch(0, 2, "piano"), stretch(1, 3, "piano"))
    )
    assert gaps.playing_s() == [(0, 2), (2, 3), (5, 6)]


def test_what_overlaps_counts_once() -> None:
    twice = msgspec.structs.replace(
        clip("a", ["piano"]), timeline=(stretch(0, 0.4, "piano"), stretch(0.1, 0.45, "piano"))
    )
    assert twice.labels_between(0, 3) is None


def test_short_stretches_add_up() -> None:
    notes = msgspec.structs.replace(clip("a", ["piano"]), timeline=(stretch(0, 0.3, "piano"), stretch(1, 1.3, "piano")))
    assert notes.labels_between(0, 3) == frozenset({"piano"})


def test_without_times_all_plays_all_the_time() -> None:
    assert clip("a", ["piano", "violin"]).labels_between(100, 103) == frozenset({"piano", "violin"})
