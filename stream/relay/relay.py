"""A subscriber that tells another machine who plays: what all kinds of target share."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import check_regular
from whoplays.stream.common.terminal import end_on_signals, note
from whoplays.stream.page.state import PageState, StreamView
from whoplays.stream.pubsub.messages import STREAM_NAME, Message, Notice
from whoplays.stream.pubsub.subscriber import Subscriber

DRAIN_S: Final = 0.2
"""How long what has come already is still told when the relay is ended."""
LONGEST_TARGET_BYTES: Final = 4096


class Target(Protocol):
    """What is told; a target that cannot be reached raises nothing and delays nothing."""

    tick_s: float
    """How often it is shown how things are."""
    link: "Link"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the target."""

    def take(self, message: Message) -> None:
        """Called with each message as it comes."""

    def show(self, views: Sequence[StreamView]) -> None:
        """Called again and again with all streams as they are."""


def relay(subscriber: Subscriber, target: Target) -> None:
    """Tell a target what comes from a publisher, until SIGTERM or SIGINT."""
    state = PageState()
    with target:
        with end_on_signals():
            _follow(subscriber, target, state)
        until_s = time.monotonic() + DRAIN_S
        while time.monotonic() < until_s and (item := subscriber.poll()):
            _update(state, target, item)
        target.show(state.streams())
    target.link.close()


def _follow(subscriber: Subscriber, target: Target, state: PageState) -> None:
    due_s = 0.0
    while True:
        item = subscriber.poll(max(0.0, due_s - time.monotonic()))
        if item is not None:
            _update(state, target, item)
        if time.monotonic() >= due_s:
            # What has changed is for each target to find out: it may have been told nothing of late.
            state.changes()
            target.show(state.streams())
            due_s = time.monotonic() + target.tick_s


def _update(state: PageState, target: Target, item: Message | Notice) -> None:
    state.update(item)
    if isinstance(item, Notice):
        note(item.text)
    elif STREAM_NAME.fullmatch(item.stream):
        target.take(item)
    else:
        target.link.refuse(item.stream)


def playing_by_label(view: StreamView) -> Mapping[str, bool | None]:
    """Of each label, whether it plays; None while that is not known."""
    playing = None if view.playing is None else {each.label for each in view.playing}
    return {label: None if playing is None else label in playing for label in view.labels}


def anybody(views: Sequence[StreamView]) -> bool | None:
    """Whether anybody plays in any stream; None while nobody is known to, and of some stream it is not known."""
    if any(view.playing for view in views):
        return True
    return None if any(view.playing is None for view in views) or not views else False


class Link:
    """Whether a target can be reached: told once when it cannot, and once when it can again. For several threads.

    Args:
        name: what the target is called.
        what: what is counted, such as `messages`.
        tell: called with each line.
    """

    def __init__(self, name: str, what: str, tell: Callable[[str], None] = note) -> None:
        self._name: Final = name
        self._what: Final = what
        self._tell: Final = tell
        self._lock: Final = threading.Lock()
        self._down = self._refused = False
        self._untold = 0
        self.lost = 0
        """What was given up."""

    def lose(self, count: int = 1) -> None:
        """Count what was given up."""
        with self._lock:
            self.lost += count
            self._untold += count

    def refuse(self, stream: str) -> None:
        """A stream cannot be told of by its name; said once."""
        if not self._refused:
            self._refused = True
            self._tell(f"{self._name}: stream {stream[:100]!r} is not relayed: no stream can have that name")

    def failed(self, reason: str, then: str = "it is tried again") -> None:
        """It cannot be reached: why, and what happens then."""
        with self._lock:
            began, self._down = not self._down, True
        if began:
            self._tell(f"{self._name}: {reason}; {then}")

    def succeeded(self) -> None:
        """It can be reached."""
        with self._lock:
            ended, self._down = self._down, False
            lost, self._untold = self._untold, 0 if ended else self._untold
        if ended:
            self._tell(f"{self._name}: reached again; {lost} {self._what} were lost")

    def close(self) -> None:
        """Tell what was lost, if that was not told."""
        if self._untold:
            self._tell(f"{self._name}: {self._untold} {self._what} were lost")


def read_target(given: str) -> str:
    """A target as given, or, of `@FILE`, as it stands in that file, where other users do not see it.

    Raises:
        OptionError: the file cannot be read.
    """
    if not given.startswith("@"):
        return given
    return read_short(given[1:], "target")


def read_short(path: str, what: str) -> str:
    """The one line in a file, without the white space around it.

    Raises:
        OptionError: the file cannot be read, is empty, or too long.
    """
    try:
        check_regular(Path(path))
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  a path that is not expanded
            text = file.read(LONGEST_TARGET_BYTES + 1).strip()
    except (OSError, ValueError) as error:
        raise OptionError(f"{what} file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not text or len(text) > LONGEST_TARGET_BYTES:
        raise OptionError(f"{what} file {path} must have one line of up to {LONGEST_TARGET_BYTES} characters")
    return text
