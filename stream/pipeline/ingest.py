"""The thread that brings a source's audio in, and opens the source again when it is lost."""

import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.stream.pipeline.session import Session
from whoplays.stream.sources.base import SessionOverError, Source
from whoplays.stream.sources.registry import SourceSpec

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0
JITTER: Final = 0.2
STEADY_S: Final = 10.0


class Backoff:
    """Pauses that double from a quarter of a second to half a minute, each a fifth more or less.

    They begin anew after an attempt that lasted ten seconds.
    """

    def __init__(self) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._begun_s = time.monotonic()

    def begin(self) -> None:
        """Note that an attempt begins."""
        self._begun_s = time.monotonic()

    def pause_s(self) -> float:
        """How long to wait after the attempt."""
        if time.monotonic() - self._begun_s > STEADY_S:
            self._pause_s = FIRST_PAUSE_S
        pause_s = self._pause_s * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s


MOST_HEARINGS: Final = 4
WAIT_S: Final = 0.02
JOIN_S: Final = 5.0


class Ingest:
    """Opens a source, feeds sessions from it, and begins a new session with each opening or session that brings audio.

    Args:
        opening: what is opened.
        begin: makes a session.
        wakeup: rung when something has changed.
    """

    def __init__(self, opening: SourceSpec, begin: Callable[[], Session], wakeup: threading.Event) -> None:
        self.sessions: Final = deque([begin()])
        """From the one that is read, which the reader removes when it has read it, to the one that is written."""
        self.over = False
        """Whether nothing more will come."""
        self.failure: WhoplaysError | None = None
        """What went wrong, once it is over for that reason."""
        self._opening: Final = opening
        self._begin: Final = begin
        self._wakeup: Final = wakeup
        self._source: Source | None = None
        self._given_up = ""
        self._backoff: Final = Backoff()
        self._stopped: Final = threading.Event()
        # A daemon: what hangs in a driver for ever must not keep the process from ending.
        self._thread: Final = threading.Thread(target=self._run, name=f"whoplays-source {opening.name}", daemon=True)

    @property
    def trouble(self) -> str:
        """Why the session that is read was lost, or why no other can begin, in one line; empty while all is well."""
        return self.sessions[-1].trouble or self.sessions[0].trouble

    def start(self) -> None:
        """Begin to open."""
        self._thread.start()

    def stop(self) -> None:
        """Make an end soon; what was written can still be read."""
        self._stopped.set()
        self._leave()
        self.sessions[-1].ring.close()

    def restart(self, reason: str) -> None:
        """Leave the source, from which nothing comes, and open it again."""
        self._given_up = reason
        self._leave()

    def join(self) -> None:
        """Wait for the end, but not for ever."""
        if self._thread.ident is not None:
            self._thread.join(JOIN_S)

    def _leave(self) -> None:
        source = self._source
        if source is not None:
            source.stop()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set() and self._attempt():
                self._stopped.wait(0.0 if self._given_up else self._backoff.pause_s())
        except Exception as error:  # noqa: BLE001  one source's mistake is told, and costs no other stream anything
            self.failure = SourceError(f"{self._opening.name} failed as nobody has foreseen: {_where(error)}")
        finally:
            self.sessions[-1].ring.close()
            self.over = True
            self._wakeup.set()

    def _attempt(self) -> bool:
        """Listen until the source is lost or ends; whether to try again."""
        self._backoff.begin()
        try:
            self._given_up = ""
            self._source = self._opening.open()
            self._listen(self._source)
        except WhoplaysError as error:
            self.sessions[-1].trouble = str(error)
            if not self._opening.reconnects:
                self.failure = error
                return False
        else:
            return False
        finally:
            self._close_heard()
            self._leave()
            self.sessions[-1].source = None
        return True

    def _listen(self, source: Source) -> None:
        while not self._stopped.is_set():
            try:
                self._feed(source)
            except SessionOverError:
                self._close_heard()
                continue
            if self._given_up:
                raise SourceError(self._given_up)
            return

    def _feed(self, source: Source) -> None:
        session = self._next_hearing()
        session.adopt(source)
        for block in source.blocks():
            if not session.write(block):
                return
            session.trouble = ""

    def _next_hearing(self) -> Session:
        """The one that has heard nothing yet, or a new one."""
        if self.sessions[-1].ring.closed:
            while len(self.sessions) >= MOST_HEARINGS and not self._stopped.wait(WAIT_S):
                pass
            self.sessions.append(self._begin())
        return self.sessions[-1]

    def _close_heard(self) -> None:
        """End the session, if it has heard anything."""
        if self.sessions[-1].ring.written:
            self.sessions[-1].ring.close()


def _where(error: Exception) -> str:
    """What was raised, and where, in one line."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{' '.join(repr(error).split())} in {Path(place.filename).name}, line {place.lineno}"
