"""How results are shown: what a view is, and which one fits."""

import sys
from types import TracebackType
from typing import Protocol, Self

from whoplays.stream.cli.live_view import LiveView
from whoplays.stream.cli.views import JsonLines, PlainLines
from whoplays.stream.pubsub.messages import Message
from whoplays.stream.pubsub.subscriber import Notice


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
