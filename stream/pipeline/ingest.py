"""The thread that reads a source into the sessions of its streams, and reopens the source when it is lost."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.models.signal import CHANNELS
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelMixer
from whoplays.stream.common.backoff import STEADY_S, Backoff
from whoplays.stream.pipeline.faults import Faults
from whoplays.stream.pipeline.session import Session
from whoplays.stream.sources.base import RecordingError, SessionOverError, Source, SourceSpec

MAX_SESSIONS: Final = 4
WAIT_S: Final = 0.02
RESUME_S: Final = 1.0
"""After which a stream that has given up its session takes from a shared source again."""


@dataclass
class SourceSession:
    """An unbroken count of samples of a source."""

    source: Source
    id: str
    samples: int = 0
    """How many have come."""


class Feed:
    """What one stream takes from a source: its sessions.

    Args:
        new_session: makes a session.
        mixer: makes two channels of those of a source that streams share; None if there are but two.
    """

    def __init__(self, new_session: Callable[[], Session], mixer: ChannelMixer | None = None) -> None:
        self.sessions: Final = deque([new_session()])
        """From the one that is read, which the reader removes when it has read it, to the one that is written."""
        self.over = False
        """Whether nothing more will come; the last session's ring closes after it is set."""
        self._new_session: Final = new_session
        self._mixer: Final = mixer
        self._current: SourceSession | None = None
        self._resume_at_s = 0.0

    @property
    def problem(self) -> str:
        """Why the session that is read was lost, or why no other can begin, in one line; empty while all is well."""
        return self.sessions[-1].problem or self.sessions[0].problem

    @property
    def crowded(self) -> bool:
        """Whether another session must wait until one is read."""
        return len(self.sessions) >= MAX_SESSIONS and not self.over

    def join(self, current: SourceSession) -> None:
        """Begin a session, unless there is one that holds nothing yet."""
        self._current = current
        if self.sessions[-1].ring.closed:
            self.sessions.append(self._new_session())
        self.sessions[-1].connect(current.source, current.id, current.samples)

    def write(self, block: Block, current: SourceSession) -> bool:
        """Append a block to the session; False if it takes no more."""
        if not self.over and (self._current is not current or self._resumes()):
            self.join(current)
        session = self.sessions[-1]
        if session.ring.closed or not session.write(self._mixed(block)):
            return False
        session.problem = ""
        return True

    def _mixed(self, block: Block) -> Block:
        if self._mixer is None:
            return block
        zeros = np.zeros((CHANNELS, block.audio.shape[1]), np.float32)
        return block._replace(audio=zeros if block.lost else self._mixer.mix(block.audio.T).T)

    def _resumes(self) -> bool:
        """Whether it is time for another session after one that was given up, of a source that goes on for others."""
        if self._mixer is None or not self.sessions[-1].ring.closed:
            return False
        now_s = time.monotonic()
        self._resume_at_s = self._resume_at_s or now_s + RESUME_S
        if now_s < self._resume_at_s or self.crowded:
            return False
        self._resume_at_s = 0.0
        return True

    def close_written(self) -> None:
        """End the session, if it holds anything."""
        if self.sessions[-1].started_at_ns:
            self.sessions[-1].ring.close()

    def end(self) -> None:
        """Take nothing more; what was written can still be read."""
        self.over = True
        self.sessions[-1].ring.close()


class Tap(NamedTuple):
    """What a stream takes from a source that others take from as well."""

    ingest: "Ingest"
    mixer: ChannelMixer


class Ingest:
    """Opens a source and writes its blocks into the sessions of those who take from it.

    With each opening and each restart of the sender, all of them begin a new session.

    Args:
        spec: what is opened.
        faults: where what nobody has foreseen is reported.
        shared: go on when a stream takes no more, until `retire`.
    """

    def __init__(self, spec: SourceSpec, faults: Faults, *, shared: bool = False) -> None:
        self.spec: Final = spec
        self.shared = shared
        self.over = False
        """Whether nothing more will come; the last sessions' rings close after it is set."""
        self.failure: WhoplaysError | None = None
        """What went wrong, once it is over for that reason."""
        self.note = ""
        """What was noteworthy about a source that came to its end."""
        self._faults: Final = faults
        self._feeds: tuple[Feed, ...] = ()
        self._lock: Final = threading.Lock()
        self._source: Source | None = None
        self._restart_reason = ""
        self._restart_at_once = False
        self._stopped: Final = threading.Event()
        # A daemon: what hangs in a driver for ever must not keep the process from ending.
        self._thread: Final = threading.Thread(target=self._run, name=f"whoplays-source {spec.name}", daemon=True)

    def add(self, feed: Feed) -> None:
        """Write into this one too, from the next block on; the first one opens the source."""
        with self._lock:
            self._feeds = (*self._feeds, feed)
            if self.over:
                feed.end()
        if self._thread.ident is None:
            self._thread.start()

    def remove(self, feed: Feed) -> None:
        """Write into this one no more; a source that is not shared is over with the last one."""
        with self._lock:
            others = tuple(each for each in self._feeds if each is not feed)
            if goes_on := bool(others or self.shared):
                self._feeds = others
        if goes_on:
            feed.end()
        else:
            self.stop()

    def retire(self) -> None:
        """Be over with the last stream that takes from it; at once if none does."""
        self.shared = False
        if not self._feeds:
            self.stop()

    def stop(self) -> None:
        """Make an end soon; what was written can still be read."""
        self._stopped.set()
        self._stop_source()
        for feed in self._feeds:
            feed.sessions[-1].ring.close()

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
            with self._lock:
                self.over = True
                for feed in self._feeds:
                    feed.end()

    def _attempt(self) -> bool:
        """Read until the source is lost or ends; whether to try again."""
        try:
            self._restart_reason, self._restart_at_once = "", False
            self._source = self.spec.open()
            self._read(self._source)
            self.note = self._source.warning
        except Exception as error:  # noqa: BLE001  whatever it is, the source is lost, and may be back
            failure = error if isinstance(error, WhoplaysError) else SourceError(self._faults.tell(error))
            for feed in self._feeds:
                feed.sessions[-1].problem = str(failure)
            if not self.spec.reconnects or isinstance(error, RecordingError):
                self.failure = failure
                return False
        else:
            return False
        finally:
            self._close_written()
            self._stop_source()
            for feed in self._feeds:
                feed.sessions[-1].source = None
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
        while any(feed.crowded for feed in self._feeds) and not self._stopped.wait(WAIT_S):
            pass
        current = SourceSession(source, secrets.token_hex(8))
        for feed in self._feeds:
            feed.join(current)
        for block in source.blocks():
            taken = [feed.write(block, current) for feed in self._feeds]
            if not self.shared and not any(taken):
                return
            current.samples += block.audio.shape[1]

    def _close_written(self) -> None:
        for feed in self._feeds:
            feed.close_written()
