"""What is done to streams while a subscriber listens, each stream by a script of its own."""

import time
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

from tests.stream.faults.account import check_account
from tests.stream.faults.seen import Seen
from tests.stream.faults.times import Times
from whoplays.stream.pubsub.subscriber import Subscriber

PATIENCE_S: Final = 60.0


Script = Generator[None, None, Times]
"""Goes on whenever the subscriber has heard something; checks what it has; returns when its fault is over."""


class Part(Protocol):
    """What is listened to, from `__enter__` to `__exit__`."""

    uri: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


P = TypeVar("P", bound=Part)


class Act:
    """A stream, and what is done to it.

    Args:
        name: of the stream.
        part: what is listened to.
        script: what is done to it.
        query: more of its address.
        whole: whether the time between its sessions has to be accounted for.
    """

    def __init__(
        self, name: str, part: P, script: Callable[[Seen, P], Script], query: str = "", *, whole: bool = True
    ) -> None:
        self.seen: Final = Seen(name)
        self.part: Final[Part] = part
        self.source: Final = part.uri + query
        self.over = False
        self._whole: Final = whole
        self._times = Times()
        self._failure: AssertionError | None = None
        self._script: Final = script(self.seen, part)

    def go_on(self) -> None:
        """Let the script see what is new."""
        try:
            next(self._script)
        except StopIteration as stop:
            self._times, self.over = stop.value, True
        except AssertionError as failure:
            self._failure, self.over = failure, True

    def check(self, record: Callable[[str, object], None]) -> None:
        """Raise what went wrong; otherwise record the times."""
        if self._failure:
            raise self._failure
        check_account(self.seen, whole=self._whole)
        for name, time_s in self._times._asdict().items():
            record(name, time_s)


def perform(subscriber: Subscriber, acts: Sequence[Act]) -> None:
    """Hear until every script is over. What one stream suffers is no other one's business."""
    for item in subscriber:
        for act in acts:
            act.seen.take(item)
            if not act.over:
                act.go_on()
        if all(act.over for act in acts):
            return


def until(true: Callable[[], bool], seen: Seen) -> Generator[None]:
    """Wait until something is so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, (seen.states, seen.details, seen.messages[-3:])
        yield


def wait(seconds: float) -> Generator[None]:
    """Let time go by."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        yield
