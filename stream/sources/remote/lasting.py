"""A source that is sent for as long as somebody wants it."""

import threading
from collections.abc import Callable
from typing import Final

from whoplays.models.errors import SourceError
from whoplays.stream.common.console import note
from whoplays.stream.pipeline.backoff import Backoff
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.opening import Opening


class Lasting:
    """Opens a source, and a live one again whenever it is lost.

    Args:
        opening: how it is opened.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening: Final = opening
        self._source: Source | None = None
        self._stopped: Final = threading.Event()

    @property
    def name(self) -> str:
        """What people call the source, as it was opened last."""
        return self._source.name if self._source else self._opening.name

    def stop(self) -> None:
        """Make `play` end soon; from any thread, but from no signal handler, for it takes locks."""
        self._stopped.set()
        source = self._source
        if source is not None:
            source.stop()

    def play(self, send: Callable[[Source], None]) -> None:
        """Send the source until it ends, or for as long as nobody stops it.

        Args:
            send: sends an open source until it ends; raises a SourceError when it is lost.

        Raises:
            SourceError: one that is not opened again failed.
        """
        backoff = Backoff()
        while not self._stopped.is_set():
            backoff.begin()
            try:
                self._attempt(send)
            except SourceError as error:
                if not self._opening.lasting:
                    raise
                note(f"{error}; trying again")
                self._stopped.wait(backoff.pause_s())
            else:
                return

    def _attempt(self, send: Callable[[Source], None]) -> None:
        source = self._source = self._opening.open()
        try:
            # A stop that came while it was opened has not reached it.
            if not self._stopped.is_set():
                send(source)
        finally:
            # Its port or device is needed when it is opened again.
            source.stop()
