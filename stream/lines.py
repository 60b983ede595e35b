"""Messages as lines: for people when there is no terminal to draw on, and as JSON for programs."""

import sys
from types import TracebackType
from typing import Self

from models.signal import SAMPLE_RATE_HZ
from stream.messages import End, Event, Gap, Message, Status, Window, encode
from stream.scene import describe, describe_end, moment
from stream.subscriber import Notice


class _Lines:
    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stdout.flush()


class JsonLines(_Lines):
    """Each message as it goes over the wire, one a line, on standard output; notices go to standard error."""

    def show(self, item: Message | Notice) -> None:
        """Print a message or a notice."""
        if isinstance(item, Notice):
            note(item.text)
        else:
            print(encode(item).decode(), flush=True)


class PlainLines(_Lines):
    """What happens as it happens, for people; of windows that follow quickly, one a second."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._due_samples: dict[str, int] = {}

    def show(self, item: Message | Notice) -> None:
        """Print a message or a notice, if it is news."""
        text = self._text(item)
        if text:
            print(text, flush=True)

    def _text(self, item: Message | Notice) -> str:
        match item:
            case Notice():
                return f"! {item.text}"
            case Status():
                return self._status(item)
            case Window():
                return self._window(item)
            case Event():
                verb = "enters" if item.phase == "start" else "leaves"
                return f"{moment(item.at):>16}  {item.label} {verb}"
            case Gap():
                return f"{moment(item.start):>7}-{moment(item.end):<7}  gap: {item.cause}"
            case End():
                return describe_end(item)

    def _status(self, status: Status) -> str:
        before = self._states.get(status.session)
        self._states[status.session] = status.state
        if before is None:
            return describe(status)
        return f"{status.stream}: {status.state}" if before != status.state != "ended" else ""

    def _window(self, window: Window) -> str:
        if window.end < self._due_samples.get(window.session, 0):
            return ""
        self._due_samples[window.session] = window.end + SAMPLE_RATE_HZ
        players = [label for label, active in window.active.items() if active]
        sure = ", ".join(f"{label} {window.probabilities[label]:.0%}" for label in players)
        heard = "silence" if window.quality.silent else sure or "nobody for sure"
        return f"{moment(window.start):>7}-{moment(window.end):<7}  {heard}"


def note(text: str) -> None:
    """Tell people something beside the results, on standard error."""
    print(f"whoplays: {text}", file=sys.stderr)
