"""Messages as lines: for people when there is no terminal to draw on, and as JSON for programs."""

import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.cli.live_view import LiveView
from whoplays.stream.cli.stream_state import describe, describe_end, describe_state, moment
from whoplays.stream.common.terminal import note
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Notice, Status, Window, encode


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


@dataclass(slots=True)
class _Followed:
    """What was shown last of a stream."""

    session: str
    state: str = ""
    due_samples: int = 0
    lost_to: int = -1


class PlainLines(_Lines):
    """What happens as it happens, for people; of windows that follow quickly, one a second, of a long gap its start."""

    def __init__(self) -> None:
        self._followed: dict[str, _Followed] = {}
        self._introduced: set[str] = set()

    def show(self, item: Message | Notice) -> None:
        """Print a message or a notice, if it is news."""
        text = self._text(item)
        if text:
            print(self._whose(item) + text, flush=True)

    def _whose(self, item: Message | Notice) -> str:
        """The stream, where the text does not name it, unless it is the only one and was introduced."""
        if isinstance(item, Notice | Status | End):
            return ""
        self._follow(item)
        if self._followed.keys() == self._introduced and len(self._introduced) == 1:
            return ""
        return f"{item.stream:<{max(map(len, self._followed))}} "

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
                return self._gap(item)
            case End():
                return describe_end(item)

    def _status(self, status: Status) -> str:
        followed, now = self._follow(status), describe_state(status)
        before, followed.state = followed.state, now
        self._introduced.add(status.stream)
        if not before:
            return describe(status) + (f": {now}" if status.detail else "")
        return f"{status.stream}: {now}" if before != now and status.state != "ended" else ""

    def _gap(self, gap: Gap) -> str:
        followed = self._follow(gap)
        before, followed.lost_to = followed.lost_to, gap.end
        return "" if before == gap.start else f"{moment(gap.start):>16}  gap: {gap.cause}"

    def _follow(self, message: Message) -> _Followed:
        followed = self._followed.get(message.stream)
        if followed is None or followed.session != message.session:
            followed = self._followed[message.stream] = _Followed(message.session)
        return followed

    def _window(self, window: Window) -> str:
        followed = self._follow(window)
        if window.end < followed.due_samples:
            return ""
        followed.due_samples = window.end + SAMPLE_RATE_HZ
        players = [label for label, active in window.active.items() if active]
        sure = ", ".join(f"{label} {window.probabilities[label]:.0%}" for label in players)
        heard = "silence" if window.quality.silent else sure or "nobody for sure"
        return f"{moment(window.start):>7}-{moment(window.end):<7}  {heard}"


class View(Protocol):
    """Shows messages to somebody, between entering and leaving."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Leave the display as it should stay."""

    def show(self, item: Message | Notice) -> None:
        """Show a message or a notice."""


def choose_view(*, json: bool) -> View:
    """JSON if that is asked for; else the live view on a terminal, or lines where there is none."""
    if json:
        return JsonLines()
    return LiveView() if sys.stdout.isatty() else PlainLines()


QUEUE_MESSAGES: Final = 1000


class Display(WorkerThread[Message | Notice]):
    """A view in a thread of its own: a full pipe or a paused terminal delays no listening and no publishing.

    When the view falls too far behind, messages are skipped, and a notice says how many. The `end` is always shown.
    """

    def __init__(self, view: View) -> None:
        super().__init__("whoplays-display", QUEUE_MESSAGES)
        self._view: Final = view
        self._skipped = 0

    def __enter__(self) -> Self:
        self._start(self._run)
        return self

    def show(self, item: Message | Notice) -> None:
        """Show a message or a notice soon; raises what the view raised, if it has failed."""
        timeout_s = None if isinstance(item, End) else 0.0
        if self._skipped:
            text = f"nobody read fast enough: {self._skipped} messages were not shown"
            if self._put(Notice(what="lost", text=text, count=self._skipped), timeout_s):
                self._skipped = 0
        # What comes after messages that were skipped waits until that is said.
        if self._skipped or not self._put(item, timeout_s):
            self._skipped += 1

    def _run(self) -> None:
        with self._view as view:
            while item := self._take():
                view.show(item)
