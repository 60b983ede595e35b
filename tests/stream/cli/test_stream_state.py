from pathlib import Path

import msgspec
import pytest

from tests.stream.engines import all_messages
from whoplays.stream.cli.stream_state import StreamState
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import End, Event, Message, Status, Window
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


def players(state: StreamState, messages: list[Message]) -> list[dict[str, int]]:
    """Who plays since when, in seconds, after each message."""
    seen = []
    for message in messages:
        state.update(message)
        seen.append({label: at // SECOND for label, at in state.since.items()})
    return seen


def sounding(window: Window, piano: float) -> Window:
    """The window with another probability of the piano."""
    probabilities = window.probabilities | {"piano": piano}
    return msgspec.structs.replace(window, probabilities=probabilities, active=window.active | {"piano": piano >= 0.5})


def test_windows_say_nothing_that_events_do_not(messages: list[Message]) -> None:
    seen = players(StreamState(), messages)
    assert [seen[messages.index(message)] for message in messages if isinstance(message, Event)] == [
        {"piano": 0},
        {"piano": 0, "violin": 3},
        {"violin": 3},
        {},
    ]


def test_who_joins_late_sees_who_plays(messages: list[Message], status: Status) -> None:
    """The first it hears is the second window: the piano's start was before."""
    late = [message for message in messages[messages.index(status) + 1 :] if not isinstance(message, Event)]
    second = next(at for at, message in enumerate(late) if isinstance(message, Window) and message.start == HOP)
    seen = players(StreamState(), [status, *late[second:]])
    assert seen[1] == {"piano": 3, "violin": 3}


def test_a_lost_end_leaves_nobody_lit(status: Status, windows: list[Window]) -> None:
    seen = players(StreamState(), [status, *windows])
    assert seen[1:] == [{"piano": 0}, {"piano": 0, "violin": 3}, {"violin": 3}, {}]


def test_who_wavers_plays_on_as_events_have_it(status: Status, windows: list[Window]) -> None:
    """The threshold is 0.5, so that the piano may fall to 0.4."""
    first = windows[0]
    wavering = [sounding(first, piano) for piano in (0.5, 0.41, 0.4, 0.39, 0.45)]
    assert players(StreamState(), [status, *wavering])[1:] == [{"piano": 0}] * 3 + [{}] * 2


def test_who_joins_late_sees_only_who_is_sure_enough(status: Status, windows: list[Window]) -> None:
    """The threshold is 0.5, so that half of the way to 1 is 0.75; the first window is heard before the first status."""
    choosy = msgspec.structs.replace(status, entry=0.5)
    heard = [sounding(windows[0], piano) for piano in (0.76, 0.41, 0.39, 0.74, 0.75)]
    seen = players(StreamState(), [heard[0], choosy, *heard[1:]])
    assert seen == [{}, {"piano": 0}, {"piano": 0}, {}, {}, {"piano": 0}]


def test_at_the_end_nobody_plays(messages: list[Message], status: Status, windows: list[Window]) -> None:
    end = messages[-1]
    assert isinstance(end, End)
    assert players(StreamState(), [status, windows[0], end])[-1] == {}
