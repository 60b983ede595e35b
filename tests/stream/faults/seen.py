"""What a subscriber sees of one stream."""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from whoplays.stream.pubsub.messages import Gap, Message, Notice, State, Status, Window

SECOND: Final = 44_100
Kind = TypeVar("Kind", bound=Message)


class Seen:
    """All messages about a stream in their order, and notices about it or about all streams."""

    def __init__(self, stream: str) -> None:
        self.stream: Final = stream
        self.messages: Final[list[Message]] = []
        self.notices: Final[list[Notice]] = []

    def take(self, item: Message | Notice) -> None:
        """Take in what the subscriber hears next."""
        if isinstance(item, Notice):
            self.notices.append(item)
        elif item.stream == self.stream:
            self.messages.append(item)

    def of(self, kind: type[Kind], session: int | None = None) -> list[Kind]:
        """The messages of a kind; those of one session, counted from 0, if it is given."""
        ids = self.sessions if session is None else self.sessions[session : session + 1]
        return [message for message in self.messages if isinstance(message, kind) and message.session in ids]

    def windows(self, count: int, session: int = 0) -> Callable[[], bool]:
        """Whether so many windows of a session were seen."""
        return lambda: len(self.of(Window, session)) >= count

    def told(self, state: State) -> Callable[[], bool]:
        """Whether the newest state is this one."""
        return lambda: bool(self.states) and self.states[-1] == state

    @property
    def sessions(self) -> list[str]:
        """Their ids, in their order."""
        return list(dict.fromkeys(message.session for message in self.messages))

    @property
    def states(self) -> list[str]:
        """Each once in a row, from the first that heard something on.

        `silent` counts as `listening`, as the audio has both. A session is `connecting` until it has heard something:
        for less than a second here, in which there is a status or not.
        """
        heard = [status.state for status in self.of(Status) if status.state != "connecting"]
        told = [state.replace("silent", "listening") for state in heard]
        told = told[told.index("listening") :] if "listening" in told else []
        return [state for k, state in enumerate(told) if not k or told[k - 1] != state]

    @property
    def details(self) -> list[str]:
        """What was told to be wrong, each once."""
        return list(dict.fromkeys(status.detail for status in self.of(Status) if status.detail))

    @property
    def causes(self) -> set[str]:
        """Of all gaps."""
        return {gap.cause for gap in self.of(Gap)}

    def captured_at_ns(self, index: int, session: int) -> float:
        """Wall time of a sample of a session, by the window that closed next to it."""
        window = min(self.of(Window, session), key=lambda window: abs(window.end - index))
        return window.closed_ns + (index - window.end) / SECOND * 1e9

    def by_session(self) -> Iterator[list[Message]]:
        """The messages of each session."""
        for session in self.sessions:
            yield [message for message in self.messages if message.session == session]


def is_state(state: State) -> Callable[[Message], bool]:
    """Whether a message tells this state."""
    return lambda message: isinstance(message, Status) and message.state == state
