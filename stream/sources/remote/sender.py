"""The connecting socket at which audio is sent, and what sends a source to it."""

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Final, Literal, NamedTuple, Self

import numpy as np
import zmq

from whoplays.models.errors import SourceError
from whoplays.models.signal import CHANNELS, SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio, Block
from whoplays.stream.audio.pcm import encode
from whoplays.stream.common.backoff import Backoff
from whoplays.stream.common.clock import GapCause, wall_ns
from whoplays.stream.common.worker_thread import WorkerThread
from whoplays.stream.pubsub.endpoint import check_connect, connect
from whoplays.stream.security.handshakes import Handshakes, Reconnector
from whoplays.stream.security.keys import ClientKeys
from whoplays.stream.sources.base import SessionOverError, Source, SourceSpec
from whoplays.stream.sources.remote.protocol import PacketHeader, WireFormat, pack
from whoplays.stream.sources.remote.receiver import enable_heartbeat

PACKET_SAMPLES: Final = SAMPLE_RATE_HZ // 20
"""50 ms."""
MAX_NAME_LENGTH: Final = 100


class PackedMessage(NamedTuple):
    """A message to send."""

    frames: list[bytes]
    samples: int
    """How much audio it holds."""


class Packetizer:
    """Cuts one session's blocks into packets of 50 ms.

    Args:
        name: what people call the source.
        encoding: of the PCM.
    """

    def __init__(self, name: str, encoding: WireFormat) -> None:
        printable = "".join(character for character in name if character.isprintable())
        self._name: Final = printable[:MAX_NAME_LENGTH] or "unnamed"
        self._encoding: Final = encoding
        self._session: Final = secrets.token_hex(8)
        self._seq = 0
        self._packed_samples = 0
        self._rest: Audio = np.zeros((CHANNELS, 0), np.float32)
        self._captured_at_ns = 0

    def pack(self, block: Block) -> Iterator[PackedMessage]:
        """The packets that a block completes; a gap of the source travels as a gap."""
        if block.lost:
            yield from self.flush()
        self._rest = np.concatenate([self._rest, block.audio], axis=1)
        self._captured_at_ns = block.captured_at_ns
        while self._rest.shape[1] >= PACKET_SAMPLES:
            yield self._pack(PACKET_SAMPLES, block.lost)
        if block.lost:
            yield from self.flush(block.lost)

    def flush(self, lost: GapCause | None = None) -> Iterator[PackedMessage]:
        """The packet of what is left, if anything is."""
        if self._rest.shape[1]:
            yield self._pack(self._rest.shape[1], lost)

    def end(self) -> PackedMessage:
        """The message that ends the session."""
        return PackedMessage(pack(self._header(0, kind="end"), b""), 0)

    def _pack(self, samples: int, lost: GapCause | None) -> PackedMessage:
        audio, self._rest = self._rest[:, :samples], self._rest[:, samples:]
        frames = pack(self._header(samples, lost=lost), b"" if lost else encode(audio.T, self._encoding))
        self._packed_samples += samples
        return PackedMessage(frames, samples)

    def _header(self, samples: int, kind: Literal["pcm", "end"] = "pcm", lost: GapCause | None = None) -> PacketHeader:
        after_ns = self._rest.shape[1] * 1_000_000_000 // SAMPLE_RATE_HZ
        self._seq += 1
        return PacketHeader(
            kind=kind,
            session=self._session,
            seq=self._seq - 1,
            first=self._packed_samples,
            frames=samples,
            rate_hz=SAMPLE_RATE_HZ,
            channels=CHANNELS,
            format=self._encoding,
            capture_ns=max(0, wall_ns(self._captured_at_ns - after_ns)),
            name=self._name,
            lost=lost,
        )


SEND_QUEUE_MESSAGES: Final = 100
"""5 s, as the packetizer cuts audio."""
POLL_S: Final = 0.05
LINGER_S: Final = 1.5
"""What is left at the end gets so long to be sent, and then again to arrive."""
HIGH_WATER_MESSAGES: Final = 2
SEND_BUFFER_BYTES: Final = 1 << 16


class Sender(WorkerThread[PackedMessage]):
    """Sends messages to one receiver, whether it is there or not; one thread owns the socket while it is entered.

    Five seconds of audio wait in its queue for a receiver that is away; of more, the oldest are dropped and counted.
    Little waits further down, in ZeroMQ and in the operating system: that would be lost with the connection, uncounted.

    Args:
        endpoint: the receiver's ZeroMQ address; it need not be there yet.
        keys: one's own, and the receiver's, if it is one that encrypts.
        on_link: called with one line when the connection comes up, goes away, or is refused; in the socket's thread.

    Raises:
        EndpointError: the address cannot be connected to.
    """

    def __init__(
        self, endpoint: str, *, keys: ClientKeys | None = None, on_link: Callable[[str], None] = lambda _: None
    ) -> None:
        super().__init__("whoplays-sender", SEND_QUEUE_MESSAGES)
        check_connect(endpoint)
        self.endpoint: Final = endpoint
        self.sent_samples = 0
        self.dropped_samples = 0
        """Audio that was dropped because the receiver was away or too slow."""
        self._keys: Final = keys
        self._on_link: Final = on_link
        self._link = ""
        self._handshakes: Final = Handshakes()
        self._hurried = False
        self._linger_until_s = float("inf")

    def send(self, message: PackedMessage, *, wait: bool) -> None:
        """Queue a message; when the queue is full, drop the oldest, or wait for room.

        Whatever has ended the socket's thread is raised here, and on leaving.
        """
        while not self._put(message, timeout_s=POLL_S if wait and not self._hurried else 0.0):
            if not wait or self._hurried:
                oldest = self._take(0.0)
                self.dropped_samples += oldest.samples if oldest else 0

    def stop(self) -> None:
        """Let nobody wait for room any more; may be called from any thread or signal handler."""
        self._hurried = True

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            socket = stack.enter_context(context.socket(zmq.PUSH))
            stack.enter_context(self._handshakes.watching(socket))
            self._connect(socket)
            self._start(self._run, socket, stack.pop_all())
        return self

    def __exit__(self, *reason: object) -> None:
        self._linger_until_s = time.monotonic() + LINGER_S
        super().__exit__(*reason)

    def _connect(self, socket: zmq.Socket[bytes]) -> None:
        enable_heartbeat(socket)
        socket.setsockopt(zmq.LINGER, round(LINGER_S * 1000))
        socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MESSAGES)
        socket.setsockopt(zmq.SNDBUF, SEND_BUFFER_BYTES)
        # Nothing is queued for a receiver that is not there.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        if self._keys:
            self._keys.apply(socket)
        connect(socket, self.endpoint)

    def _run(self, socket: zmq.Socket[bytes], owned: ExitStack) -> None:
        with owned:
            reconnector = Reconnector(socket, self.endpoint, self._handshakes)
            message: PackedMessage | None = None
            while (message or not self._finished) and time.monotonic() < self._linger_until_s:
                reconnector.update()
                self._report_link()
                if socket.poll(round(POLL_S * 1000), zmq.POLLOUT):
                    message = message or self._take(POLL_S)
                if message and _sent(socket, message):
                    self.sent_samples += message.samples
                    message = None

    def _report_link(self) -> None:
        link = f"connected to {self.endpoint}" if self._handshakes.up else f"waiting for {self.endpoint}"
        if self._handshakes.reason:
            link = f"refused by {self.endpoint}: {self._handshakes.reason}"
        if link != self._link:
            self._link = link
            self._on_link(link)


def _sent(socket: zmq.Socket[bytes], message: PackedMessage) -> bool:
    """Send a message, whole or not at all: a receiver that has just left makes nobody wait."""
    try:
        socket.send_multipart(message.frames, zmq.NOBLOCK)
    except zmq.Again:
        return False
    return True


REPORT_S: Final = 10.0


class SourceForwarder:
    """Sends a source, session by session; a live one is opened again whenever it is lost.

    Args:
        spec: the source.
        sender: where to; entered while it runs.
        encoding: of the PCM.
        report: called with one line every ten seconds, and when a session or the source ends and another one begins.
    """

    def __init__(self, spec: SourceSpec, sender: Sender, encoding: WireFormat, report: Callable[[str], None]) -> None:
        self._spec: Final = spec
        self._sender: Final = sender
        self._encoding: Final = encoding
        self._report: Final = report
        self._source: Source | None = None
        self._stopped: Final = threading.Event()

    @property
    def summary(self) -> str:
        """What was sent so far, in one line."""
        name = self._source.name if self._source else self._spec.name
        sent_s, dropped_s = self._sender.sent_samples / SAMPLE_RATE_HZ, self._sender.dropped_samples / SAMPLE_RATE_HZ
        return f"{name}: {sent_s:.1f} s sent, {dropped_s:.1f} s dropped"

    def run(self) -> None:
        """Send the source until it ends or is stopped.

        Raises:
            SourceError: one that is not opened again failed.
        """
        for _ in Backoff(self._stopped).attempts():
            try:
                self._send_source()
            except SourceError as error:
                if not self._spec.reconnects:
                    raise
                self._report(f"{error}; trying again")
            else:
                return

    def stop(self) -> None:
        """Make `run` end soon; from any thread, but from no signal handler, for it takes locks."""
        self._stopped.set()
        source = self._source
        if source is not None:
            source.stop()
        self._sender.stop()

    def _send_source(self) -> None:
        source = self._source = self._spec.open()
        try:
            # Also checked at first: a stop while the source was opened has not reached it.
            while not self._stopped.is_set() and self._send_session(source):
                pass
        finally:
            # Its port or device is needed when it is opened again.
            source.stop()

    def _send_session(self, source: Source) -> bool:
        """Send a session to its end; whether another one follows."""
        packetizer, report_at_s = Packetizer(source.name, self._encoding), time.monotonic() + REPORT_S
        try:
            for block in source.blocks():
                self._send(packetizer.pack(block), source)
                if time.monotonic() >= report_at_s:
                    report_at_s += REPORT_S
                    self._report(self.summary)
        except SessionOverError as over:
            self._report(str(over))
            return True
        finally:
            self._send((*packetizer.flush(), packetizer.end()), source)
        return False

    def _send(self, messages: Iterable[PackedMessage], source: Source) -> None:
        for message in messages:
            self._sender.send(message, wait=not source.live)
