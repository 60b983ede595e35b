"""What the page makes of messages: who plays now, and from when to when something was so."""

from typing import Literal

import msgspec
import pytest

from tests.stream.make_messages import make_end, make_status
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.page import state as state_module
from whoplays.stream.page.state import PageState, TimelineSpan
from whoplays.stream.pubsub.messages import (
    Event,
    Gap,
    LevelInfo,
    Message,
    Notice,
    Playing,
    Quality,
    Status,
    Timing,
    Window,
)

S = 1_000_000_000
T0 = 1_800_000_000 * S


def status(at_s: float, *playing: Playing, known: bool = True, **changes: object) -> Status:
    changes |= {"published_ns": T0 + round(at_s * S), "playing": playing if known else None}
    return msgspec.structs.replace(make_status(0), **changes)


def event(at_s: float, label: str, phase: Literal["start", "end"], seq: int = 0) -> Event:
    at_ns = T0 + round(at_s * S)
    return Event(
        stream="hall",
        session="one",
        seq=seq,
        published_ns=at_ns + S,
        id=seq,
        label=label,
        phase=phase,
        at=round(at_s * SAMPLE_RATE_HZ),
        at_ns=at_ns,
        peak=0.9,
    )


def window(start_s: float, *, silent: bool = False, **probabilities: float) -> Window:
    end_s = start_s + 3
    return Window(
        stream="hall",
        session="one",
        seq=0,
        published_ns=T0 + round(end_s * S),
        start=round(start_s * SAMPLE_RATE_HZ),
        end=round(end_s * SAMPLE_RATE_HZ),
        closed_ns=T0 + round(end_s * S),
        clock="adc",
        probabilities=probabilities,
        active={},
        quality=Quality(dbfs=-90 if silent else -20, clipped=0, silent=silent, lost_samples=0),
        timing=Timing(ready_ns=0, infer_start_ns=0, infer_end_ns=0, batch=1, queue=0),
    )


def gap(start_s: float, end_s: float, cause: str = "network") -> Gap:
    data = {"stream": "hall", "session": "one", "seq": 0, "published_ns": T0 + round(end_s * S), "cause": cause}
    span = {"from": round(start_s * SAMPLE_RATE_HZ), "to": round(end_s * SAMPLE_RATE_HZ)}
    return msgspec.convert(data | span, Gap)


def after(*items: Message | Notice) -> PageState:
    state = PageState()
    for item in items:
        state.update(item)
    return state


def spans(state: PageState) -> list[tuple[str, str, float, float | None]]:
    found = sorted(state.spans(0, 1 << 62), key=lambda span: (span.start_ns, span.name))
    return [
        (each.kind, each.name, round((each.start_ns - T0) / S, 2), each.end_ns and round((each.end_ns - T0) / S, 2))
        for each in found
    ]


def test_who_plays_is_a_span_from_entrance_to_exit() -> None:
    state = after(status(0), event(1, "violin", "start"), event(5, "piano", "start"), event(9, "violin", "end"))
    assert spans(state) == [("label", "violin", 1, 9), ("label", "piano", 5, None)]
    (view,) = state.streams()
    assert view.playing is not None
    assert [(each.label, each.since_ns) for each in view.playing] == [("piano", T0 + 5 * S)]


def test_who_joins_late_is_told_who_plays_and_since_when() -> None:
    playing = Playing(id=3, label="violin", since=0, since_ns=T0 - 60 * S)
    state = after(status(0, playing), window(0, violin=0.93), event(4, "violin", "end"))
    assert spans(state) == [("label", "violin", -60, 4)]


def test_what_a_status_no_longer_names_has_ended() -> None:
    playing = Playing(id=3, label="violin", since=0, since_ns=T0)
    assert spans(after(status(0, playing), status(7))) == [("label", "violin", 0, 7)]
    lost = after(status(0, playing), status(7, known=False, state="lost"))
    assert spans(lost) == [("label", "violin", 0, 7)]
    assert lost.streams()[0].playing is None


def test_gaps_that_continue_one_another_are_one() -> None:
    state = after(status(0), window(0), gap(3, 4), gap(4, 5), gap(5, 6), gap(9, 10), gap(10, 11, "overflow"))
    assert spans(state) == [("gap", "network", 3, 6), ("gap", "network", 9, 10), ("gap", "overflow", 10, 11)]


def test_silence_is_a_span_of_its_own() -> None:
    state = after(status(0), window(0), window(3, silent=True), window(6, silent=True), window(9))
    assert spans(state) == [("silence", "silence", 3, 9)]


def test_a_publisher_that_falls_silent_is_a_gap_until_it_is_back() -> None:
    silent = Notice(what="silent", text="nothing came")
    playing = Playing(id=3, label="violin", since=0, since_ns=T0)
    state = after(status(0, playing), status(5, playing, level=LevelInfo(dbfs=-20, peak_dbfs=-3, clipped=0)), silent)
    assert spans(state) == [("label", "violin", 0, 5), ("gap", "not received", 5, None)]
    (view,) = state.streams()
    assert (view.state, view.playing, view.level) == ("unknown", None, None)
    state.update(status(20))
    assert spans(state)[1] == ("gap", "not received", 5, 20)
    assert state.streams()[0].state == "listening"


def test_after_its_end_a_stream_is_not_missed() -> None:
    end = msgspec.structs.replace(make_end(0), published_ns=T0 + S)
    assert spans(after(status(0), end, Notice(what="silent", text="nothing came"))) == []


def test_after_lost_messages_it_is_not_known_who_plays() -> None:
    playing = Playing(id=3, label="violin", since=0, since_ns=T0)
    state = after(status(0, playing), Notice(what="lost", text="lost 3 messages of hall", stream="hall", count=3))
    assert state.streams()[0].playing is None


def test_changes_are_told_once() -> None:
    state = after(status(0), event(1, "violin", "start"))
    views, changed, _ = state.changes()
    assert [view.stream for view in views] == ["hall"]
    assert [span.name for span in changed] == ["violin"]
    assert state.changes() == ([], [], [])
    state.update(event(2, "violin", "end"))
    assert [span.end_ns for span in state.changes()[1]] == [T0 + 2 * S]


def test_spans_are_bounded_and_those_that_go_on_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MOST_SPANS", 100)
    state = after(status(0), event(0, "piano", "start"))
    for number in range(500):
        state.update(event(1 + number, "violin", "start", number))
        state.update(event(1.5 + number, "violin", "end", number))
    kept: list[TimelineSpan] = list(state.spans(0, 1 << 62))
    assert 50 < len(kept) <= 101
    assert any(span.name == "piano" and span.end_ns is None for span in kept)
    assert max(span.start_ns for span in kept) == T0 + 500 * S


def test_streams_are_bounded_and_those_without_a_proper_name_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MOST_STREAMS", 3)
    state = PageState()
    for name in ("a", "b", "c", "a", "d", "a/#+\0", "x" * 101):
        state.update(status(0, stream=name))
    assert [view.stream for view in state.streams()] == ["a", "c", "d"]
