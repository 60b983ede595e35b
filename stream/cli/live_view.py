"""The live view on a terminal: which instruments play, how probably, since when."""

import time
from collections import deque
from types import TracebackType
from typing import Final, Self

from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from whoplays.stream.cli.stream_state import StreamState, describe, describe_end, describe_state, timecode
from whoplays.stream.pubsub.messages import End, Message, Notice, Status

REFRESH_S: Final = 0.1
NOTICES: Final = 5
BAR_WIDTH: Final = 30


class LiveView:
    """Redraws a table for each stream in place, ten times a second at most."""

    def __init__(self, console: Console | None = None) -> None:
        self._states: Final[dict[str, StreamState]] = {}
        self._notices: Final = deque[str](maxlen=NOTICES)
        self._live: Final = Live(console=console, auto_refresh=False, vertical_overflow="visible")
        self._drawn_s = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.update(self._render(), refresh=True)
        self._live.stop()

    def show(self, item: Message | Notice) -> None:
        """Take in a message or a notice, and redraw if it is time."""
        if isinstance(item, Notice):
            self._notices.append(item.text)
        else:
            self._states.setdefault(item.stream, StreamState()).update(item)
        now_s = time.monotonic()
        if now_s - self._drawn_s >= REFRESH_S or isinstance(item, Notice | End):
            self._drawn_s = now_s
            self._live.update(self._render(), refresh=True)

    def _render(self) -> RenderableType:
        notices = [Text(f"! {text}", style="yellow") for text in self._notices]
        return Group(*map(draw, self._states.values()), *notices)


def draw(state: StreamState) -> RenderableType:
    """A stream as a table: a line for each label of the model, in a fixed place."""
    if state.status is None:
        return Text()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(width=max(map(len, state.status.labels)))
    table.add_column(width=BAR_WIDTH)
    table.add_column(justify="right", width=5)
    table.add_column()
    for label in state.status.labels:
        table.add_row(*_row(state, label))
    return Group(Text(describe(state.status), style="bold"), table, Text(_caption(state, state.status)))


def _row(state: StreamState, label: str) -> tuple[RenderableType, ...]:
    probabilities = state.window.probabilities if state.window else {}
    value = probabilities.get(label, 0.0)
    since = state.since.get(label)
    style = "bold green" if since is not None else "bright_black"
    bar = Bar(1.0, 0.0, value, width=BAR_WIDTH, color="green" if since is not None else "bright_black")
    percent = f"{value:.0%}" if label in probabilities else ""
    playing = f"since {timecode(since)}" if since is not None else ""
    return Text(label, style=style), bar, Text(percent, style=style), Text(playing, style=style)


def _caption(state: StreamState, status: Status) -> str:
    if state.end:
        return describe_end(state.end)
    parts: list[str] = [describe_state(status)]
    if state.window:
        parts += [timecode(state.window.end), f"{state.window.quality.dbfs:.0f} dBFS"]
    if state.gaps:
        parts.append(f"{state.gaps} gaps")
    return "  ".join(parts)
