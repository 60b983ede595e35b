"""The live view on a terminal: a row for each stream, and one of them with all its labels."""

import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from textwrap import wrap
from typing import Final, Self, TextIO

from whoplays.stream.cli.screen import Line, Piece, Screen, Style
from whoplays.stream.cli.stream_state import StreamState, describe, describe_end, describe_state, timecode
from whoplays.stream.pubsub.messages import Message, Notice, Status

REFRESH_S: Final = 0.25
LEAVE_S: Final = 2.0
"""A terminal that takes nothing for so long is left as it is."""
NOTICES: Final = 3
MOST_STREAMS: Final = 500
"""Of more streams than that only these are shown: names are the publisher's to make."""
MOST_NOTES: Final = 100
BAR_WIDTH: Final = 30
NAME_WIDTH: Final = 24


class LiveView:
    """Draws in a thread of its own, four times a second at most; messages are taken in from any thread.

    Up and down choose the stream whose labels are shown. When it is left, the last state stays on the terminal.

    Args:
        out: the terminal; standard output unless given.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out: Final = out or sys.stdout
        self._screen: Final = Screen(self._out, self._note)
        self._bar: Final = "█" if _encodes(self._out, "█") else "#"
        self._states: Final[dict[str, StreamState]] = {}
        self._chosen = ""
        self._notices: Final = deque[str](maxlen=NOTICES)
        self._notes: Final = deque[str](maxlen=MOST_NOTES)
        self._lock: Final = threading.Lock()
        self._changed = True
        self._leaving: Final = threading.Event()
        self._stack: Final = ExitStack()
        # Whoever leaves does not wait for a paused terminal.
        self._thread: Final = threading.Thread(target=self._run, name="whoplays-screen", daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Self:
        self._stack.enter_context(self._screen.opened())
        self._thread.start()
        return self

    def __exit__(self, error: object = None, *_: object) -> None:
        self._leaving.set()
        self._thread.join(LEAVE_S)
        self._screen.paused = self._thread.is_alive()
        with self._stack:
            if error is None:
                self._check()
        if self._screen.paused:
            return
        self._screen.print(self._lines())
        for note in self._notes:
            print(note, file=sys.stderr)

    def show(self, item: Message | Notice) -> None:
        """Take in a message or a notice; raises what has ended the drawing."""
        self._check()
        with self._lock:
            if isinstance(item, Notice):
                self._notices.append(item.text)
            elif item.stream in self._states or len(self._states) < MOST_STREAMS:
                self._states.setdefault(item.stream, StreamState()).update(item)
            self._changed = True

    def _note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)
            self._notices.append(text.removeprefix("whoplays: "))
            self._changed = True

    def _check(self) -> None:
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            self._draw_until_left()
        except Exception as error:  # noqa: BLE001  raised again where messages are shown
            self._error = error

    def _draw_until_left(self) -> None:
        due_s = 0.0
        while not self._leaving.is_set():
            key = self._screen.wait_for_key(max(0.0, due_s - time.monotonic()) or REFRESH_S)
            if key:
                self._choose(1 if key == "down" else -1)
            if self._changed and time.monotonic() >= due_s:
                due_s = time.monotonic() + REFRESH_S
                self._screen.draw(self._lines())

    def _choose(self, step: int) -> None:
        with self._lock:
            names = sorted(self._states)
            if names:
                at = names.index(self._chosen) if self._chosen in names else 0
                self._chosen = names[(at + step) % len(names)]
                self._changed = True

    def _lines(self) -> list[Line]:
        """What the screen shows, no higher than it is."""
        with self._lock:
            self._changed = False
            names = sorted(self._states)
            chosen = self._chosen if self._chosen in names else next(iter(names), "")
            columns, rows = self._screen.size
            told = [
                line
                for text in self._notices
                for line in wrap(f"! {text}", max(20, columns - 1), subsequent_indent="  ")
            ]
            notices: list[Line] = [[(line, "yellow")] for line in told[-max(2, rows // 3) :]]
            room = max(1, rows - len(notices) - 1)
            listed = max(1, min(len(names), room - min(room // 2, self._height(chosen))))
            details = list(self._details(chosen, room - listed))
            at = names.index(chosen) if names else 0
            first = max(0, min(at - listed // 2, len(names) - listed))
            width = min(NAME_WIDTH, max(map(len, names), default=0))
            lines = [self._row(name, width, chosen=name == chosen) for name in names[first : first + listed]]
            hidden = len(names) - len(lines)
            if hidden or (len(names) > 1 and self._screen.has_keys):
                more = f"{hidden} more streams; " if hidden else ""
                lines.append([(f"{more}up and down choose one"[: max(0, columns)], "grey")])
            return [*lines, *details, *notices]

    def _height(self, name: str) -> int:
        status = self._states[name].status if name else None
        return 1 + len(status.labels) if status else 0

    def _row(self, name: str, width: int, *, chosen: bool) -> Line:
        """A stream in one line: name, state, where it is, level, and who plays."""
        state = self._states[name]
        mark: Piece = (f"{'>' if chosen and len(self._states) > 1 else ' '}{name[:width]:<{width}}  ", "bold")
        if state.end:
            return [mark, (describe_end(state.end), "grey")]
        if state.status is None:
            return [mark]
        loudness = state.status.level or (state.window.quality if state.window else None)
        level = f"{loudness.dbfs:4.0f} dBFS" if loudness else f"{'':9}"
        at = timecode(state.window.end) if state.window else ""
        lost = f"  {state.gaps} gaps" if state.gaps else ""
        playing = ", ".join(state.since)
        well = not state.status.detail and state.status.state in {"listening", "silent"}
        told = f"{state.status.state:<9}" if well else describe_state(state.status)
        return [
            mark,
            (told, "plain" if well else "yellow"),
            ("".join(f"  alert: {alert.rule}" for alert in state.status.alerts), "yellow"),
            (f"  {at:>8} {level}{lost}  ", "grey"),
            (playing, "green"),
        ]

    def _details(self, name: str, room: int) -> Iterator[Line]:
        """A stream's source and model, and a line for each label, in a fixed place; the likeliest if not all fit."""
        state = self._states.get(name)
        if state is None or state.status is None or room < 2:
            return
        yield [(describe(state.status), "bold")]
        labels = _fitting(state, state.status, room - 1)
        width = max(map(len, labels), default=0)
        for label in labels:
            yield self._label(state, label, width)

    def _label(self, state: StreamState, label: str, width: int) -> Line:
        probabilities = state.window.probabilities if state.window else {}
        value, since = probabilities.get(label, 0.0), state.since.get(label)
        bar = self._bar * round(max(0.0, min(value, 1.0)) * BAR_WIDTH)
        percent = f"{value:.0%}" if label in probabilities else ""
        playing = f"  since {timecode(since)}" if since is not None else ""
        style: Style = "green" if since is not None else "grey"
        return [(f"  {label:<{width}}  {bar:<{BAR_WIDTH}} {percent:>4}{playing}", style)]


def _fitting(state: StreamState, status: Status, room: int) -> list[str]:
    if len(status.labels) <= room:
        return list(status.labels)
    probabilities = state.window.probabilities if state.window else {}
    likeliest = sorted(status.labels, key=lambda each: (each not in state.since, -probabilities.get(each, 0.0)))
    return [label for label in status.labels if label in likeliest[:room]]


def _encodes(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
