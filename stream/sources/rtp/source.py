"""RTP as a source."""

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from whoplays.stream.audio.block import Block
from whoplays.stream.audio.pcm import decode
from whoplays.stream.audio.resample import ChannelSelection, Converter
from whoplays.stream.audio.timeline import Timeline
from whoplays.stream.common.clock import ClockKind, GapCause, RecentIncreases
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.rtp.address import RtpAddress, read_address
from whoplays.stream.sources.rtp.jitter import REFUSALS, Counts, Piece
from whoplays.stream.sources.rtp.receiver import Receiver
from whoplays.stream.sources.rtp.socket import UdpReceiver, label

POLL_S: Final = 0.1
REST_S: Final = 0.03
MOST_AT_ONCE: Final = 256


def open_rtp(uri: str, selection: ChannelSelection) -> "RtpSource":
    """Listen to `rtp://[bind]:port`, from now on.

    Raises:
        SourceError: the address or one of its options makes no sense, or it cannot be bound.
    """
    return RtpSource(read_address(uri), redact(uri), selection)


class RtpSource:
    """What one RTP sender sends to an address; see `Receiver` and `JitterBuffer` for what is done about its losses.

    A sender that is quiet makes `blocks` wait; when it goes on within some seconds, what is missing is filled.

    Raises:
        SourceError: the address cannot be bound, or a chosen channel is not there.
    """

    def __init__(self, address: RtpAddress, uri: str, selection: ChannelSelection) -> None:
        self._refuse_missing_channels(address, selection)
        self._inlet: Final = UdpReceiver(address.host, address.port, address.interface)
        self.port: Final = self._inlet.port
        """The port; the one that the system chose if 0 was asked for."""
        self.name = f"RTP on {label(address.host, self.port)}"
        self.uri = uri
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "network"
        self.live = True
        self._selection: Final = selection
        self._receiver: Final = Receiver(address.formats, address.wait_ns)
        self._axis: Timeline | None = None
        self._lately: Final = RecentIncreases()
        self._newest_ns = 0
        self._stopped: Final = threading.Event()
        self._lock: Final = threading.Lock()
        self._running = False

    @property
    def counts(self) -> Counts:
        """What became of every packet."""
        return self._receiver.counts

    @property
    def warning(self) -> str:
        """That packets are refused, and why, or come too late; see `Source`."""
        risen = self._lately.risen()
        reasons = [reason.replace("_", " ") for reason in REFUSALS if reason in risen]
        if reasons:
            return f"packets are refused: {', '.join(reasons)}"
        return "packets come too late; give a larger jitter_ms to wait for them" if "late" in risen else ""

    def blocks(self) -> Iterator[Block]:
        """The audio of one sender, until `stop`; see `Source`."""
        if not self._enter():
            return
        try:
            self._receiver.proceed()
            while not self._stopped.is_set():
                self._receive()
                yield from self._render(self._receiver.pull(time.monotonic_ns()))
                if self._receiver.over:
                    yield from self._finish()
                    raise SessionOverError(f"{self.name}: the sender began anew, or another one took its place")
        finally:
            self._leave()

    def stop(self) -> None:
        """Make `blocks` end soon, and give the port back; see `Source`."""
        with self._lock:
            self._stopped.set()
            if not self._running:
                self._inlet.close()

    def _receive(self) -> None:
        for data, arrived_ns in self._inlet.receive(self._patience_s(), MOST_AT_ONCE):
            self._receiver.push(data, arrived_ns)
        self._lately.look(late=self.counts.late, **self.counts.refused)
        # Some packets at once are one block: each step on a block lets go of the interpreter, and many streams would
        # all day wait for each other's turn.
        time.sleep(REST_S)

    def _patience_s(self) -> float:
        deadline_ns = self._receiver.deadline_ns
        if deadline_ns is None:
            return POLL_S
        return min(POLL_S, max(0, deadline_ns - time.monotonic_ns()) / 1e9)

    def _render(self, pieces: Iterable[Piece]) -> Iterator[Block]:
        for _, run in groupby(pieces, lambda piece: (piece.form, piece.payload is None)):
            same = list(run)
            form, self._newest_ns = same[0].form, same[-1].captured_at_ns
            if self._axis is None:
                self._axis = Timeline(form.rate_hz, form.channels, self._selection)
            payloads = [piece.payload for piece in same if piece.payload is not None]
            if payloads:
                frames = decode(b"".join(payloads), form.encoding, form.channels)
                yield from self._axis.append(frames, self._newest_ns)
            for piece in same[len(payloads) :]:
                yield from self._axis.append_gap(piece.frames, "network", piece.captured_at_ns)

    def _finish(self) -> Iterator[Block]:
        yield from self._render(self._receiver.flush())
        if self._axis:
            yield from self._axis.finish(self._newest_ns)
        self._axis = None

    def _enter(self) -> bool:
        with self._lock:
            self._running = not self._stopped.is_set()
            return self._running

    def _leave(self) -> None:
        with self._lock:
            self._running = False
            if self._stopped.is_set():
                self._inlet.close()

    @staticmethod
    def _refuse_missing_channels(address: RtpAddress, selection: ChannelSelection) -> None:
        """At once where it is known what comes; else a sender of mono is refused when it is heard."""
        most = max(address.formats.values(), key=lambda form: form.channels)
        Converter(most.rate_hz, most.channels, selection)
