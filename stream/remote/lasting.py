"""A source that is sent for as long as somebody wants it."""

import threading
from collections.abc import Callable
from typing import Final

from models.errors import SourceError
from stream.backoff import Backoff
from stream.intake import Intake
from stream.lines import note
from stream.source import Source
from stream.sources import from_uri, is_lasting


class Lasting:
    """Opens a source, and a live one again whenever it is lost.

    Args:
        uri: its address.
        intake: which channels are taken, and how loud.

    Raises:
        SourceError: it cannot be listened to.
    """

    def __init__(self, uri: str, intake: Intake) -> None:
        self.source = from_uri(uri, intake=intake)
        """As it was opened last."""
        self._open: Final[Callable[[], Source]] = lambda: from_uri(uri, intake=intake)
        self._lasting: Final = is_lasting(uri)
        self._stopped: Final = threading.Event()

    def stop(self) -> None:
        """Make `play` end soon."""
        self._stopped.set()
        self.source.stop()

    def play(self, send: Callable[[Source], None]) -> None:
        """Send the source until it ends, or for as long as nobody stops it.

        Args:
            send: sends an open source until it ends; raises a SourceError when it is lost.

        Raises:
            SourceError: one that is not opened again failed.
        """
        backoff, opened = Backoff(), True
        while not self._stopped.is_set():
            backoff.begin()
            try:
                if not opened:
                    self.source = self._open()
                send(self.source)
            except SourceError as error:
                if not self._lasting:
                    raise
                opened = False
                note(f"{error}; trying again")
                self._stopped.wait(backoff.pause_s())
            else:
                return
