"""The thread that reads a source into sessions, and reopens the source when it is lost."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.stream.common.backoff import STEADY_S, Backoff
from whoplays.stream.pipeline.faults import Faults
from whoplays.stream.pipeline.session import Session
from whoplays.stream.sources.base import SessionOverError, Source, SourceSpec

MAX_SESSIONS: Final = 4
WAIT_S: Final = 0.02


class Ingest:
    """Opens a source, writes its blocks into a session, and begins a new one with each opening or sender's restart.

    Args:
        spec: what is opened.
        new_session: makes a session.
        faults: where what nobody has foreseen is reported.
    """

    def __init__(self, spec: SourceSpec, new_session: Callable[[], Session], faults: Faults) -> None:
        self.sessions: Final = deque([new_session()])
        """From the one that is read, which the reader removes when it has read it, to the one that is written."""
        self.over = False
        """Whether nothing more will come; the last session's ring closes after it is set."""
        self.failure: WhoplaysError | None = None
        """What went wrong, once it is over for that reason."""
        self.note = ""
        """What was noteworthy about a source that came to its end."""
        self._spec: Final = spec
        self._new_session: Final = new_session
        self._faults: Final = faults
        self._source: Source | None = None
        self._restart_reason = ""
        self._restart_at_once = False
        self._stopped: Final = threading.Event()
        # A daemon: what hangs in a driver for ever must not keep the process from ending.
        self._thread: Final = threading.Thread(target=self._run, name=f"whoplays-source {spec.name}", daemon=True)

    @property
    def problem(self) -> str:
        """Why the session that is read was lost, or why no other can begin, in one line; empty while all is well."""
        return self.sessions[-1].problem or self.sessions[0].problem

    def start(self) -> None:
        """Begin to open."""
        self._thread.start()

    def stop(self) -> None:
        """Make an end soon; what was written can still be read."""
        self._stopped.set()
        self._stop_source()
        self.sessions[-1].ring.close()

    def restart(self, reason: str, *, at_once: bool) -> None:
        """Stop the source and open it again: at once, or after a pause as when it is lost."""
        self._restart_reason, self._restart_at_once = reason, at_once
        self._stop_source()

    def join(self, timeout_s: float) -> None:
        """Wait for the end, but no longer than this."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _stop_source(self) -> None:
        source = self._source
        if source is not None:
            try:
                source.stop()
            except Exception as error:  # noqa: BLE001  it may be called by the engine, which serves other streams too
                self._faults.tell(error)

    def _run(self) -> None:
        try:
            backoff = Backoff(self._stopped)
            for _ in backoff.attempts():
                if not self._attempt():
                    break
                if self._restart_at_once:
                    backoff.skip_pause()
        except Exception as error:  # noqa: BLE001  a fault of one source is reported, and costs no other stream anything
            self.failure = SourceError(self._faults.tell(error))
        finally:
            self.over = True
            self.sessions[-1].ring.close()

    def _attempt(self) -> bool:
        """Read until the source is lost or ends; whether to try again."""
        try:
            self._restart_reason, self._restart_at_once = "", False
            self._source = self._spec.open()
            self._read(self._source)
            self.note = self._source.warning
        except Exception as error:  # noqa: BLE001  whatever it is, the source is lost, and may be back
            failure = error if isinstance(error, WhoplaysError) else SourceError(self._faults.tell(error))
            self.sessions[-1].problem = str(failure)
            if not self._spec.reconnects:
                self.failure = failure
                return False
        else:
            return False
        finally:
            self._close_written()
            self._stop_source()
            self.sessions[-1].source = None
        return True

    def _read(self, source: Source) -> None:
        began_s = float("-inf")
        # A sender may begin anew at once, but not again and again.
        backoff = Backoff(self._stopped)
        for _ in backoff.attempts():
            try:
                if time.monotonic() - began_s > STEADY_S:
                    backoff.skip_pause()
                began_s = time.monotonic()
                self._read_session(source)
            except SessionOverError:
                self._close_written()
                continue
            if self._restart_reason:
                raise SourceError(self._restart_reason)
            return

    def _read_session(self, source: Source) -> None:
        session = self._next_session()
        session.connect(source)
        for block in source.blocks():
            if not session.write(block):
                return
            session.problem = ""

    def _next_session(self) -> Session:
        """The one that holds nothing yet, or a new one."""
        if self.sessions[-1].ring.closed:
            while len(self.sessions) >= MAX_SESSIONS and not self._stopped.wait(WAIT_S):
                pass
            self.sessions.append(self._new_session())
        return self.sessions[-1]

    def _close_written(self) -> None:
        """End the session, if it holds anything."""
        if self.sessions[-1].ring.written:
            self.sessions[-1].ring.close()
