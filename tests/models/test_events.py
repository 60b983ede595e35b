import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whoplays.models.card import Frames, Hysteresis
from whoplays.models.events import EventDetector, EventTransition, detector


def follow(found: EventDetector, values: list[float | None]) -> list[EventTransition]:
    """The changes over windows of ten samples; None is silence."""
    changes: list[EventTransition] = []
    for number, value in enumerate(values):
        probabilities = {"piano": value or 0.0, "violin": 0.0}
        changes += found.update(10 * number, 10 * number + 10, probabilities)
    return changes


def make() -> EventDetector:
    return detector(["piano", "violin"], [0.5, 0.9])


def test_a_wavering_probability_is_one_appearance() -> None:
    changes = follow(make(), [0.1, 0.5, 0.45, 0.8, 0.41, 0.39, 0.45])
    assert changes == [EventTransition(0, "piano", "start", 10, 0.5), EventTransition(0, "piano", "end", 50, 0.8)]


def test_who_wavers_plays_on_down_to_the_release() -> None:
    wavering: list[float | None] = [0.5, 0.3, 0.5, 0.2, 0.0]
    apart, together = (detector(["piano", "violin"], [0.5, 0.9], Hysteresis(release=share)) for share in (1.0, 0.5))
    assert [(change.phase, change.at) for change in follow(apart, wavering)] == [
        ("start", 0),
        ("end", 10),
        ("start", 20),
        ("end", 30),
    ]
    assert [(change.phase, change.at) for change in follow(together, wavering)] == [("start", 0), ("end", 30)]


def test_who_enters_must_be_as_sure_as_the_entry_asks_for() -> None:
    """Half of the way from 0.5 to 1; once in, it plays on below the threshold as anyone does."""
    found = detector(["piano", "violin"], [0.5, 0.9], Hysteresis(entry=0.5))
    changes = follow(found, [0.5, 0.74, 0.0, 0.6, 0.75, 0.5, 0.41, 0.39, 0.7])
    assert [(change.phase, change.at) for change in changes] == [("start", 40), ("end", 70)]
    assert found.active({"piano": 0.5, "violin": 0.0}) == {"piano": True, "violin": False}


def test_silence_sends_everyone_off() -> None:
    changes = follow(make(), [0.9, None, 0.9])
    assert [(change.id, change.phase, change.at) for change in changes] == [
        (0, "start", 0),
        (0, "end", 10),
        (1, "start", 20),
    ]


def test_the_end_sends_everyone_off() -> None:
    found = make()
    follow(found, [0.9, 0.7])
    assert list(found.finish()) == [EventTransition(0, "piano", "end", 20, 0.9)]
    assert list(found.finish()) == []


def test_active_is_at_or_above_the_threshold() -> None:
    assert make().active({"piano": 0.5, "violin": 0.89}) == {"piano": True, "violin": False}


@given(st.lists(st.none() | st.floats(0, 1)))
def test_starts_and_ends_alternate(values: list[float | None]) -> None:
    found = make()
    changes = [*follow(found, values), *found.finish()]
    assert [change.phase for change in changes] == ["start", "end"] * (len(changes) // 2)
    assert [change.id for change in changes] == [number // 2 for number in range(len(changes))]
    assert [change.at for change in changes] == sorted(change.at for change in changes)


RATE = 44_100
STEPS = Frames(step_samples=13_230, first_sample=0, enter_samples=0, leave_samples=0)
"""Ten steps of 0.3 s in a window of 3 s."""


def framed(frames: Frames = STEPS, hysteresis: Hysteresis | None = None) -> EventDetector:
    return detector(["piano", "violin"], [0.5, 0.5], hysteresis or Hysteresis(), frames)


def heard(
    found: EventDetector, plays: list[tuple[float, float]], until_s: int, hop_s: int = 1
) -> list[tuple[str, float]]:
    """What is found of a piano that plays in these spans, by windows at that hop, then at the end: phases and times."""
    transitions: list[EventTransition] = []
    for start in range(0, (until_s - 3) * RATE + 1, hop_s * RATE):
        middles_s = start / RATE + 0.3 * (np.arange(10) + 0.5)
        piano = [any(begin <= middle < end for begin, end in plays) for middle in middles_s]
        frames = np.stack([np.array(piano, np.float32), np.zeros(10, np.float32)], axis=1)
        probabilities = {"piano": float(max(piano)), "violin": 0.0}
        transitions += found.update(start, start + 3 * RATE, probabilities, frames)
    transitions += found.finish()
    assert all(each.label == "piano" for each in transitions)
    return [(each.phase, each.at / RATE) for each in transitions]


@pytest.mark.parametrize("hop_s", [1, 3])
def test_an_instrument_enters_when_it_enters(hop_s: int) -> None:
    """Not at the start of the window that showed it, nor does it leave at that window's end."""
    (enters, entered_s), (leaves, left_s) = heard(framed(), [(5.4, 9.9)], 18, hop_s)
    assert (enters, leaves) == ("start", "end")
    assert entered_s == pytest.approx(5.4, abs=0.31)
    assert left_s == pytest.approx(9.9, abs=0.31)


def test_it_is_known_within_the_hop_and_the_delay() -> None:
    """A window is not trusted about its last half second: an onset there waits for the next window."""
    found = framed()
    known: list[tuple[int, float]] = []
    for start_s in range(6):
        frames = np.zeros((10, 2), np.float32)
        frames[:, 0] = start_s + 0.3 * (np.arange(10) + 0.5) >= 5.7
        events = found.update(start_s * RATE, (start_s + 3) * RATE, {"piano": 0.9, "violin": 0.0}, frames)
        known += [(start_s + 3, event.at / RATE) for event in events]
    ((at_end_s, onset_s),) = known
    assert onset_s == pytest.approx(5.7, abs=0.21)
    assert at_end_s == 7


def test_what_does_not_last_is_no_event_and_no_end() -> None:
    held = msgspec.structs.replace(STEPS, enter_samples=RATE, leave_samples=RATE)
    (enters, entered_s), (leaves, left_s) = heard(framed(held), [(4.0, 4.6), (6.0, 8.0), (8.6, 11.0)], 18)
    assert (enters, leaves) == ("start", "end")
    assert entered_s == pytest.approx(6.0, abs=0.31)
    assert left_s == pytest.approx(11.0, abs=0.31)


def test_what_still_plays_leaves_at_the_end() -> None:
    leaves, left_s = heard(framed(), [(4.0, 99.0)], 12)[-1]
    assert leaves == "end"
    assert left_s == pytest.approx(12.0, abs=0.11)


def test_where_no_window_was_what_held_still_holds() -> None:
    found = framed()
    loud = np.ones((10, 2), np.float32)
    assert len(list(found.update(0, 3 * RATE, {"piano": 1.0, "violin": 1.0}, loud))) == 2
    assert not list(found.update(20 * RATE, 23 * RATE, {"piano": 1.0, "violin": 1.0}, loud))
    assert {each.at for each in found.finish()} == {23 * RATE}


def test_any_windows_give_events_in_pairs_and_in_order() -> None:
    rng = np.random.default_rng(3)
    found, last = framed(), dict.fromkeys(("piano", "violin"), ("end", 0))
    for start in np.cumsum(rng.integers(1, 2 * RATE, 200)).tolist():
        frames = rng.random((10, 2)).astype(np.float32)
        for event in found.update(start, start + 3 * RATE, {"piano": 0.5, "violin": 0.5}, frames):
            phase, at = last[event.label]
            assert event.phase != phase
            assert event.at >= at
            last[event.label] = (event.phase, event.at)
