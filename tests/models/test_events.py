from hypothesis import given
from hypothesis import strategies as st

from whoplays.models.card import Hysteresis
from whoplays.models.events import EventDetector, EventTransition


def follow(detector: EventDetector, values: list[float | None]) -> list[EventTransition]:
    """The changes over windows of ten samples; None is silence."""
    changes: list[EventTransition] = []
    for number, value in enumerate(values):
        probabilities = {"piano": value or 0.0, "violin": 0.0}
        changes += detector.update(10 * number, 10 * number + 10, probabilities)
    return changes


def make() -> EventDetector:
    return EventDetector(["piano", "violin"], [0.5, 0.9])


def test_a_wavering_probability_is_one_appearance() -> None:
    changes = follow(make(), [0.1, 0.5, 0.45, 0.8, 0.41, 0.39, 0.45])
    assert changes == [EventTransition(0, "piano", "start", 10, 0.5), EventTransition(0, "piano", "end", 50, 0.8)]


def test_who_wavers_plays_on_down_to_the_release() -> None:
    wavering: list[float | None] = [0.5, 0.3, 0.5, 0.2, 0.0]
    apart, together = (
        EventDetector(["piano", "violin"], [0.5, 0.9], Hysteresis(release=share)) for share in (1.0, 0.5)
    )
    assert [(change.phase, change.at) for change in follow(apart, wavering)] == [
        ("start", 0),
        ("end", 10),
        ("start", 20),
        ("end", 30),
    ]
    assert [(change.phase, change.at) for change in follow(together, wavering)] == [("start", 0), ("end", 30)]


def test_who_enters_must_be_as_sure_as_the_entry_asks_for() -> None:
    """Half of the way from 0.5 to 1; once in, it plays on below the threshold as anyone does."""
    detector = EventDetector(["piano", "violin"], [0.5, 0.9], Hysteresis(entry=0.5))
    changes = follow(detector, [0.5, 0.74, 0.0, 0.6, 0.75, 0.5, 0.41, 0.39, 0.7])
    assert [(change.phase, change.at) for change in changes] == [("start", 40), ("end", 70)]
    assert detector.active({"piano": 0.5, "violin": 0.0}) == {"piano": True, "violin": False}


def test_silence_sends_everyone_off() -> None:
    changes = follow(make(), [0.9, None, 0.9])
    assert [(change.id, change.phase, change.at) for change in changes] == [
        (0, "start", 0),
        (0, "end", 10),
        (1, "start", 20),
    ]


def test_the_end_sends_everyone_off() -> None:
    detector = make()
    follow(detector, [0.9, 0.7])
    assert list(detector.finish()) == [EventTransition(0, "piano", "end", 20, 0.9)]
    assert list(detector.finish()) == []


def test_active_is_at_or_above_the_threshold() -> None:
    assert make().active({"piano": 0.5, "violin": 0.89}) == {"piano": True, "violin": False}


@given(st.lists(st.none() | st.floats(0, 1)))
def test_starts_and_ends_alternate(values: list[float | None]) -> None:
    detector = make()
    changes = [*follow(detector, values), *detector.finish()]
    assert [change.phase for change in changes] == ["start", "end"] * (len(changes) // 2)
    assert [change.id for change in changes] == [number // 2 for number in range(len(changes))]
    assert [change.at for change in changes] == sorted(change.at for change in changes)
