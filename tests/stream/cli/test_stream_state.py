from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.stream.engines import all_messages
from whoplays.stream.cli.stream_state import StreamState
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Event, Message, Playing, Status, Window
from whoplays.stream.sources.file import FileSource

SECOND = 44_100
HOP = 3 * SECOND


@pytest.fixture(scope="module")
def messages(concert: Path, recognizer: Recognizer) -> list[Message]:
    """Of piano, both, violin, silence."""
    return list(all_messages(FileSource(concert, "max"), recognizer, hop_samples=HOP))


@pytest.fixture(scope="module")
def status(messages: list[Message]) -> Status:
    return next(message for message in messages if isinstance(message, Status))


@pytest.fixture(scope="module")
def windows(messages: list[Message]) -> list[Window]:
    return [message for message in messages if isinstance(message, Window)]


def players(state: StreamState, messages: Sequence[Message]) -> list[dict[str, int]]:
    """Who plays since when, in seconds, after each message."""
    seen = []
    for message in messages:
        state.update(message)
        seen.append({label: at // SECOND for label, at in state.since.items()})
    return seen


def test_windows_say_nothing_that_events_do_not(messages: list[Message]) -> None:
    seen = players(StreamState(), messages)
    assert [seen[messages.index(message)] for message in messages if isinstance(message, Event)] == [
        {"piano": 0},
        {"piano": 0, "violin": 3},
        {"violin": 3},
        {},
    ]


def test_who_joins_late_sees_who_plays_since_when(status: Status) -> None:
    playing = (Playing(id=3, label="piano", since=5 * SECOND, since_ns=1),)
    late = msgspec.structs.replace(status, playing=playing)
    assert players(StreamState(), [late]) == [{"piano": 5}]


def test_a_lost_event_is_made_up_for_by_the_next_status(status: Status) -> None:
    piano = (Playing(id=0, label="piano", since=0, since_ns=1),)
    lost = [msgspec.structs.replace(status, playing=playing) for playing in (piano, (), piano)]
    assert players(StreamState(), lost) == [{"piano": 0}, {}, {"piano": 0}]


def test_windows_do_not_contradict_events(messages: list[Message], status: Status, windows: list[Window]) -> None:
    """A window's `active` knows thresholds alone."""
    entered = next(message for message in messages if isinstance(message, Event))
    wavering = msgspec.structs.replace(windows[0], probabilities={"piano": 0.45, "violin": 0.5})
    assert players(StreamState(), [status, entered, wavering]) == [{}, {"piano": 0}, {"piano": 0}]


def test_at_the_end_nobody_plays(messages: list[Message], status: Status, windows: list[Window]) -> None:
    end = messages[-1]
    assert isinstance(end, End)
    assert players(StreamState(), [status, windows[0], end])[-1] == {}
