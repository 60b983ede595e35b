"""One stream: a source from session to session, and the messages about its state."""

import time
from collections.abc import Callable, Iterator
from typing import Final

from whoplays.models.errors import SourceError, WhoplaysError
from whoplays.models.signal import SAMPLE_RATE_HZ, WINDOW_SAMPLES
from whoplays.stream.common.uri import clean
from whoplays.stream.pipeline.faults import FaultHandler, Faults, print_fault
from whoplays.stream.pipeline.ingest import Feed, Ingest, Tap
from whoplays.stream.pipeline.options import StreamOptions
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pipeline.ring import RingBuffer
from whoplays.stream.pipeline.session import Session
from whoplays.stream.pubsub.messages import (
    Counters,
    End,
    FiringAlert,
    LevelInfo,
    Message,
    ModelInfo,
    Reason,
    SourceInfo,
    State,
    Status,
)
from whoplays.stream.sources.base import SourceSpec

HEARTBEAT_NS: Final = 1_000_000_000
STALLED_NS: Final = 2_000_000_000
SILENCE_TIMEOUT_NS: Final = 10_000_000_000
START_TIMEOUT_NS: Final = 30_000_000_000
DRAIN_NS: Final = 1_000_000_000
"""How long after a stop audio that has come is still processed."""
WRONG_RATE_PPM: Final = 5_000


class Stream:
    """A stream between its source's thread and the engine's, which calls everything here.

    Args:
        spec: the source, or what is taken from one that streams share.
        recognizer: what its windows are inferred with.
        options: how it is processed.
        new_ring: makes the ring buffer of each session.
        on_fault: called with what nobody has foreseen.
    """

    def __init__(
        self,
        spec: SourceSpec | Tap,
        recognizer: Recognizer,
        options: StreamOptions,
        new_ring: Callable[[], RingBuffer],
        on_fault: FaultHandler = print_fault,
    ) -> None:
        self.name: Final = options.stream
        self.recognizer: Final = recognizer
        self.turn = 0
        """When its newest window was taken, in the batcher's count of turns."""
        self.alerts: tuple[FiringAlert, ...] = ()
        """Those that have not recovered."""
        self.over = False
        """Whether its `end` has been published."""
        self.failure: WhoplaysError | None = None
        """What went wrong, once it is over for that reason."""
        self._options: Final = options
        self._new_ring: Final = new_ring
        self._faults: Final = Faults(self.name, on_fault)
        self._ingest: Final = spec.ingest if isinstance(spec, Tap) else Ingest(spec, self._faults)
        self._spec: Final = self._ingest.spec
        self._feed: Final = Feed(self._new_session, spec.mixer if isinstance(spec, Tap) else None)
        self._sessions = 1
        self._stopped = False
        self._stop_by_ns = 0
        self._outage: State | None = None
        self._end_detail = ""
        self._finished = False
        self._status_due_ns = 0

    @property
    def session(self) -> Session:
        """The session that is read now."""
        return self._feed.sessions[0]

    def start(self) -> None:
        """Begin to read the source."""
        self._ingest.add(self._feed)

    def stop(self) -> None:
        """Make an end soon: audio that has come is still processed."""
        if not self._stopped:
            state = self._state()
            self._outage = state if state in ("lost", "stalled") else None
            self._stopped, self._stop_by_ns = True, time.monotonic_ns() + DRAIN_NS
        self._ingest.remove(self._feed)

    def join(self, timeout_s: float) -> None:
        """Wait until the source is closed, but no longer than this; after `stop`."""
        self._ingest.join(timeout_s)

    def poll(self, dropped_messages: int) -> Iterator[Message]:
        """Every message that is not about a window: gaps, the next session, a status every second, the end.

        Args:
            dropped_messages: how many the publisher has dropped so far, for the counters.
        """
        self.session.compute_frames()
        yield from self.session.gaps()
        if self.session.drained:
            yield from self._leave_session(dropped_messages)
        now_ns = time.monotonic_ns()
        if self._stopped and not self.over and now_ns > self._stop_by_ns:
            # Its source hangs, or inference cannot keep up.
            yield from self.end_messages("stopped", dropped_messages)
        if not self.over and now_ns >= self._status_due_ns:
            self._status_due_ns = now_ns + HEARTBEAT_NS
            self._restart_if_stalled(now_ns)
            yield from self._disconnected(now_ns)
            yield self._status(dropped_messages)

    def end_messages(self, reason: Reason, dropped_messages: int, detail: str = "") -> Iterator[Message]:
        """The last messages."""
        self.over, self._end_detail = True, detail
        yield from self.session.gaps()
        yield from self._finish()
        yield self._status(dropped_messages)
        head = self.session.sequencer.head(End)
        yield End(**head, reason=reason, detail=clean(detail), final=self.session.elapsed_samples)

    def recover(self, error: Exception) -> Iterator[Message]:
        """Go on after an exception that nobody has foreseen, raised by this stream's processing.

        The session is given up and the source opened again; a source that is not, or a second one in the same session,
        ends the stream.
        """
        session, told = self.session, self._faults.tell(error)
        if self._spec.reconnects and not session.abandoned:
            if self._feed.sessions[-1] is session:
                session.problem = told
                if not self._ingest.shared:
                    self._ingest.restart(told, at_once=False)
            session.abandon()
            return
        self.over, self.failure = True, SourceError(told)
        self._ingest.remove(self._feed)
        yield End(**session.sequencer.head(End), reason="failed", detail=clean(told), final=session.elapsed_samples)

    @property
    def _following(self) -> Session | None:
        """The next session, once it holds audio."""
        sessions = self._feed.sessions
        return sessions[1] if len(sessions) > 1 and sessions[1].started_at_ns else None

    def _new_session(self) -> Session:
        return Session(self._options, self.recognizer, self._spec.name, self._spec.uri, self._new_ring)

    def _leave_session(self, dropped_messages: int) -> Iterator[Message]:
        """Leave a session that is read to its end: for the next one, for good, or until one begins."""
        if following := self._following:
            yield from self._finish()
            if following.source_session == self.session.source_session:
                yield from self.session.missed_until(following.first)
            else:
                yield from self.session.disconnected_until(following.started_at_ns)
            yield self._status(dropped_messages)
            self._feed.sessions.popleft()
            self._sessions += 1
            self._finished, self._status_due_ns = False, 0
        elif self._feed.over:
            yield from self._end(dropped_messages)
        else:
            yield from self._finish()

    def _end(self, dropped_messages: int) -> Iterator[Message]:
        self.failure = self._ingest.failure or self._too_short()
        if self.failure:
            yield from self.end_messages("failed", dropped_messages, str(self.failure))
        elif self._stopped:
            yield from self.end_messages("stopped", dropped_messages)
        else:
            yield from self.end_messages("finished", dropped_messages, self._ingest.note)

    def _too_short(self) -> SourceError | None:
        session = self.session
        if self._stopped or self._spec.reconnects or session.windower.covered > session.first:
            return None
        heard_s, window_s = session.elapsed_samples / SAMPLE_RATE_HZ, WINDOW_SAMPLES / SAMPLE_RATE_HZ
        return SourceError(f"{session.name} ended after {heard_s:.2f} s; a window needs {window_s:.0f} s of audio")

    def _finish(self) -> Iterator[Message]:
        """An offset for each label that still plays, once a session."""
        if not self._finished:
            self._finished = True
            if self._feed.problem:
                # Told at once: it may be back before the next heartbeat.
                self._status_due_ns = 0
            yield from self.session.finish()

    def _restart_if_stalled(self, now_ns: int) -> None:
        """Give up a source from which nothing has come for too long."""
        newest = self._feed.sessions[-1]
        timeout_ns = SILENCE_TIMEOUT_NS if newest.started_at_ns else START_TIMEOUT_NS
        open_still = self._spec.reconnects and newest.source is not None and not newest.ring.closed
        if open_still and now_ns - newest.last_block_at_ns > timeout_ns:
            self._ingest.restart(f"no audio came for {timeout_ns / 1e9:.0f} s", at_once=True)

    def _disconnected(self, now_ns: int) -> Iterator[Message]:
        """While the source is lost, time goes on, and everything in it is lost."""
        resumes = self.session.abandoned and self._ingest.shared
        lost = self._spec.reconnects and not self._stopped and self.session.drained and not resumes
        if lost and self.session.started_at_ns and not self._following:
            yield from self.session.disconnected_until(now_ns)

    def _state(self) -> State:
        session, problem = self.session, self._feed.problem
        if self.over:
            return "ended"
        if not session.started_at_ns:
            return "lost" if problem else "connecting"
        if self._stopped:
            # Nothing comes any more because it was stopped.
            return self._outage or ("silent" if session.results.silent else "listening")
        if self.session.drained:
            return "lost"
        if not session.ready and time.monotonic_ns() - session.last_block_at_ns > STALLED_NS:
            return "stalled"
        return "silent" if session.results.silent else "listening"

    def _detail(self) -> str:
        """What is wrong, in one line; empty if nothing is. At the end, only why it failed."""
        if self.over:
            return self._end_detail
        drift_ppm = self.session.clock.drift_ppm
        if self._feed.problem:
            return self._feed.problem
        if drift_ppm is not None and abs(drift_ppm) > WRONG_RATE_PPM:
            really_hz = SAMPLE_RATE_HZ * (1 + drift_ppm / 1e6)
            return f"it runs {drift_ppm / 1e4:+.1f} % off its rate ({really_hz:.0f} Hz for {SAMPLE_RATE_HZ}); check it"
        # Once, because the source's own thread lets go of it at any moment.
        source = self.session.source
        return (source.warning if source else "") or self.session.warning()

    def _status(self, dropped_messages: int) -> Status:
        session, card = self.session, self.recognizer.card
        last_seq = {kind: seq for kind, seq in session.sequencer.last_seq.items() if kind != "status"}
        drift_ppm, state, level = session.clock.drift_ppm, self._state(), session.meter.newest
        return Status(
            **session.sequencer.head(Status),
            source=SourceInfo(name=clean(session.name), uri=clean(session.uri)),
            source_session=session.source_session,
            state=state,
            detail=clean(self._detail()),
            sample_rate_hz=SAMPLE_RATE_HZ,
            window_samples=WINDOW_SAMPLES,
            hop_samples=session.windower.hop_samples,
            model=ModelInfo(name=card.name, version=card.version, sha256=card.sha256[:12]),
            labels=self.recognizer.labels,
            thresholds=session.results.thresholds,
            entry=session.results.hysteresis.entry,
            release=session.results.hysteresis.release,
            provider=self.recognizer.provider,
            counters=self._counters(dropped_messages),
            lag_ns=session.results.lag_ns,
            drift_ppm=None if drift_ppm is None else round(drift_ppm, 1),
            last_seq=last_seq,
            clipped_samples=session.clipped_samples,
            level=LevelInfo(**level._asdict()) if level and state in {"listening", "silent"} else None,
            playing=session.results.playing,
            alerts=self.alerts,
        )

    def _counters(self, dropped_messages: int) -> Counters:
        session = self.session
        elapsed, lost = session.elapsed_samples, session.lost_samples
        return Counters(
            elapsed_samples=elapsed,
            heard_samples=elapsed - lost,
            lost_samples=lost,
            windows=session.results.windows,
            gaps=session.gap_count,
            dropped_windows=session.windower.dropped,
            dropped_messages=dropped_messages,
            sessions=self._sessions,
        )
