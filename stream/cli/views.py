"""Messages as lines: for people when there is no terminal to draw on, and as JSON for programs."""

import os
import sys
from dataclasses import dataclass
from typing import Final, Protocol, Self

from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.cli.live_view import LiveView
from whoplays.stream.cli.stream_state import describe, describe_end, describe_state, timecode
from whoplays.stream.common.terminal import note, printable
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pubsub.messages import Alert, End, Event, Gap, Message, Notice, Status, Window, to_json


class View(Protocol):
    """Shows messages between entering and leaving."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()

    def show(self, item: Message | Notice) -> None:
        """Show a message or a notice."""


class JsonLines(View):
    """Each message as it goes over the wire, one a line, on standard output; notices go to standard error."""

    def show(self, item: Message | Notice) -> None:
        """Print a message or a notice."""
        if isinstance(item, Notice):
            note(item.text)
        else:
            print(to_json(item), flush=True)


@dataclass(slots=True)
class _Shown:
    """What was shown last of a stream."""

    session: str
    state: str = ""
    due_samples: int = 0
    lost_to: int = -1


class PlainLines(View):
    """Messages for people: of windows that follow quickly, one a second; of a long gap, its start."""

    def __init__(self) -> None:
        self._streams: dict[str, _Shown] = {}
        self._introduced: set[str] = set()

    def show(self, item: Message | Notice) -> None:
        """Print a message or a notice, if it says something new."""
        text = self._text(item)
        if text:
            print(printable(self._prefix(item) + text), flush=True)

    def _prefix(self, item: Message | Notice) -> str:
        """The stream, where the text does not name it, unless it is the only one and its status was shown."""
        if isinstance(item, Notice | Status | End):
            return ""
        self._shown(item)
        if self._streams.keys() == self._introduced and len(self._introduced) == 1:
            return ""
        return f"{item.stream:<{max(map(len, self._streams))}} "

    def _text(self, item: Message | Notice) -> str:
        match item:
            case Notice():
                return f"! {item.text}"
            case Status():
                return self._status(item)
            case Window():
                return self._window(item)
            case Event() | Alert():
                return _news(item)
            case Gap():
                return self._gap(item)
            case End():
                return describe_end(item)

    def _status(self, status: Status) -> str:
        shown, now = self._shown(status), describe_state(status)
        before, shown.state = shown.state, now
        self._introduced.add(status.stream)
        if not before:
            return describe(status) + (f": {now}" if status.detail else "")
        return f"{status.stream}: {now}" if before != now and status.state != "ended" else ""

    def _gap(self, gap: Gap) -> str:
        shown = self._shown(gap)
        before, shown.lost_to = shown.lost_to, gap.end
        return "" if before == gap.start else f"{timecode(gap.start):>16}  gap: {gap.cause}"

    def _shown(self, message: Message) -> _Shown:
        shown = self._streams.get(message.stream)
        if shown is None or shown.session != message.session:
            shown = self._streams[message.stream] = _Shown(message.session)
        return shown

    def _window(self, window: Window) -> str:
        shown = self._shown(window)
        if window.end < shown.due_samples:
            return ""
        shown.due_samples = window.end + SAMPLE_RATE_HZ
        active = [f"{label} {window.probabilities[label]:.0%}" for label, on in window.active.items() if on]
        result = "silence" if window.quality.silent else ", ".join(active) or "no label above its threshold"
        return f"{timecode(window.start):>7}-{timecode(window.end):<7}  {result}"


def _news(item: Event | Alert) -> str:
    if isinstance(item, Event):
        return f"{timecode(item.at):>16}  {item.label} {'enters' if item.phase == 'start' else 'leaves'}"
    return f"{'':>16}  alert: {item.rule}{', recovered' if item.recovered else ''}"


def choose_view(*, json: bool) -> View:
    """JSON if that is asked for; else the live view on a terminal, or lines where there is none."""
    if json:
        return JsonLines()
    return LiveView() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else PlainLines()


QUEUE_MESSAGES: Final = 1000


class Display(WorkerThread[Message | Notice]):
    """A view in a thread of its own: a full pipe or a paused terminal delays neither recognition nor publishing.

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
        # Nothing is shown after skipped messages before the notice of them.
        if self._skipped or not self._put(item, timeout_s):
            self._skipped += 1

    def _run(self) -> None:
        with self._view as view:
            while item := self._take():
                view.show(item)
