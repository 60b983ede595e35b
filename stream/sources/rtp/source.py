"""RTP as a source."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import groupby
from typing import Final

from whoplays.stream.audio.block import Block
from whoplays.stream.audio.pcm import decode
from whoplays.stream.audio.resample import ChannelSelection, Converter
from whoplays.stream.audio.timeline import Timeline
from whoplays.stream.common.clock import ClockKind, GapCause, RecentIncreases
from whoplays.stream.common.uri import redact
from whoplays.stream.sources.base import SessionOverError
from whoplays.stream.sources.rtp.address import RtpAddress, is_multicast, parse_rtp_address
from whoplays.stream.sources.rtp.jitter import REJECT_REASONS, FrameSpan, RtpCounters
from whoplays.stream.sources.rtp.receiver import RtpReceiver
from whoplays.stream.sources.rtp.socket import UdpReceiver, bound_name

POLL_S: Final = 0.1
BATCH_S: Final = 0.03
BATCH_DATAGRAMS: Final = 100
"""No more may gather while it waits for those to come: the system buffers some hundreds."""
MAX_BATCH_DATAGRAMS: Final = 2048
MAX_REPORTS: Final = 16
"""So many are read at a time, of a port of their own."""
LAST_PORT: Final = 65_535


def open_rtp(uri: str, selection: ChannelSelection) -> "RtpSource":
    """Receive at `rtp://[bind]:port`, from now on.

    Raises:
        SourceError: the address or one of its options is out of range, or it cannot be bound.
    """
    return RtpSource(parse_rtp_address(uri), redact(uri), selection)


class RtpSource:
    """What one RTP sender sends to an address; see `RtpReceiver` and `JitterBuffer` for how losses are handled.

    While the sender is silent `blocks` waits; when it goes on within some seconds, the gap is filled.

    Raises:
        SourceError: the address cannot be bound, or a chosen channel is not there.
    """

    def __init__(self, address: RtpAddress, uri: str, selection: ChannelSelection) -> None:
        # Channels that no format has are refused here; those that the sender does not have, when it is known.
        most = max(address.formats.values(), key=lambda form: form.channels)
        Converter(most.rate_hz, most.channels, selection)
        with ExitStack() as opened:
            self._socket: Final = UdpReceiver(address.host, address.port, address.interface)
            opened.callback(self._socket.close)
            self._reports: Final = _open_reports(address)
            opened.pop_all()
        self.port: Final = self._socket.port
        """The port; the one that the system chose if 0 was asked for."""
        self.name = f"RTP on {bound_name(address.host, self.port)}"
        self.uri = uri
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "network"
        self.live = True
        self._selection: Final = selection
        self._receiver: Final = RtpReceiver(address.formats, address.depth_ns)
        self._timeline: Timeline | None = None
        self._recent: Final = RecentIncreases()
        self._captured_at_ns = 0
        self.stopped: Final = threading.Event()
        self._lock: Final = threading.Lock()
        self._running = False

    @property
    def counters(self) -> RtpCounters:
        """What became of every packet."""
        return self._receiver.counters

    @property
    def warning(self) -> str:
        """That packets are rejected, and why, or come too late; see `Source`."""
        risen = self._recent.names()
        reasons = [reason.replace("_", " ") for reason in REJECT_REASONS if reason in risen]
        if reasons:
            return f"packets are rejected: {', '.join(reasons)}"
        return "packets come too late; give a larger jitter_ms to wait for them" if "late" in risen else ""

    def blocks(self) -> Iterator[Block]:
        """The audio of one sender, until `stop`; see `Source`."""
        with self._lock:
            self._running = not self.stopped.is_set()
        try:
            self._receiver.switch_sender()
            while not self.stopped.is_set():
                self._receive()
                yield from self._render(self._receiver.pull(time.monotonic_ns()))
                if self._receiver.sender_changed:
                    yield from self._finish()
                    raise SessionOverError(f"{self.name}: the sender was restarted, or replaced by another one")
        finally:
            with self._lock:
                self._running = False
                if self.stopped.is_set():
                    self._close()

    def stop(self) -> None:
        """Make `blocks` end soon, and free the port; see `Source`."""
        with self._lock:
            self.stopped.set()
            if not self._running:
                self._close()

    def _close(self) -> None:
        self._socket.close()
        if self._reports:
            self._reports.close()

    def _receive(self) -> None:
        count = 0
        for data, arrived_ns, source in self._socket.receive(self._timeout_s(), MAX_BATCH_DATAGRAMS):
            self._receiver.push(data, arrived_ns, source)
            count += 1
        if self._reports:
            for data, arrived_ns, source in self._reports.receive(0.0, MAX_REPORTS):
                self._receiver.take_reports(data, arrived_ns, source)
        self._recent.update(late=self.counters.late, **self.counters.rejected)
        # Packets that come together make one block: each step on a block lets go of the interpreter, and the threads
        # of many streams would wait for each other.
        if count < MAX_BATCH_DATAGRAMS:
            time.sleep(BATCH_S * min(1.0, BATCH_DATAGRAMS / max(count, 1)))

    def _timeout_s(self) -> float:
        deadline_ns = self._receiver.deadline_ns
        if deadline_ns is None:
            return POLL_S
        return min(POLL_S, max(0, deadline_ns - time.monotonic_ns()) / 1e9)

    def _render(self, spans: Iterable[FrameSpan]) -> Iterator[Block]:
        """Consecutive spans of one kind as one block each."""
        for (form, lost), group in groupby(spans, lambda span: (span.form, span.payload is None)):
            alike = list(group)
            self._captured_at_ns = self._captured(alike[-1])
            if self._timeline is None:
                self._timeline = Timeline(form.rate_hz, form.channels, self._selection)
            if lost:
                for span in alike:
                    yield from self._timeline.append_gap(span.frames, "network", self._captured(span))
            else:
                payload = b"".join(span.payload or b"" for span in alike)
                frames = decode(payload, form.encoding, form.channels)
                yield from self._timeline.append(frames, self._captured_at_ns)

    def _captured(self, span: FrameSpan) -> int:
        """When the last of its frames was captured: by the sender's reports if there are any, else when it arrived."""
        captured_at_ns = self._receiver.captured_at_ns(span.start + span.frames, span.captured_at_ns)
        self.clock = "arrival" if captured_at_ns is None else "adc"
        return span.captured_at_ns if captured_at_ns is None else captured_at_ns

    def _finish(self) -> Iterator[Block]:
        yield from self._render(self._receiver.flush())
        if self._timeline:
            yield from self._timeline.finish(self._captured_at_ns)
        self._timeline = None


def _open_reports(address: RtpAddress) -> UdpReceiver | None:
    """Where reports come on a port of their own: the one that is given; of a group, which many may join, the next."""
    port = address.rtcp_port or (address.port + 1 if is_multicast(address.host) and 0 < address.port < LAST_PORT else 0)
    return UdpReceiver(address.host, port, address.interface) if port else None
