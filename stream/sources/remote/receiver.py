"""The bound socket at which a sender's messages arrive, which of them are taken, and where their audio belongs."""

import errno
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final, Literal

import zmq

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.audio.timeline import Timeline
from whoplays.stream.common.descriptors import connection_share, require_descriptors
from whoplays.stream.pubsub.endpoint import enable_ipv6
from whoplays.stream.security.allow_list import ServerKeys, zap_authenticator
from whoplays.stream.security.connections import HANDSHAKE_MS, ConnectionLimits
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.sources.remote.protocol import FRAMES, MAX_FRAME_BYTES, PacketHeader, PcmPacket

RECEIVE_QUEUE_MESSAGES: Final = 128
"""Of each sender: 6 s as `whoplays send` cuts audio."""
RECEIVE_BYTES: Final = 16 << 20
"""So much is taken at once, or the messages that are there."""
MAX_SENDERS: Final = 32
CHECK_S: Final = 0.02
"""How often connections are looked at, if there are any: a message that never ends shows nowhere else."""
HEARTBEAT_MS: Final = 1_000
HEARTBEAT_TIMEOUT_MS: Final = 3_000


class PullSocket:
    """Receives messages from whoever connects; bound until `close`.

    Args:
        endpoint: a ZeroMQ address.
        keys: encrypt, and admit those alone whose keys are allowed.
        handshakes: counts who was admitted and refused.

    Raises:
        SourceError: the address is in use, or cannot be bound, or there are too few file descriptors.
    """

    def __init__(self, endpoint: str, keys: ServerKeys | None, handshakes: Handshakes) -> None:
        self._handshakes: Final = handshakes
        require_descriptors(f"listen on {endpoint}", SourceError)
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(zap_authenticator(context, keys))
            self._socket: Final = stack.enter_context(context.socket(zmq.PULL))
            stack.enter_context(self._handshakes.watching(self._socket))
            self._socket.setsockopt(zmq.RCVHWM, RECEIVE_QUEUE_MESSAGES)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
            self._socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
            enable_heartbeat(self._socket)
            enable_ipv6(self._socket, endpoint)
            if keys:
                keys.apply(self._socket)
            _bind(self._socket, endpoint)
            self._owned: Final = stack.pop_all()
        self.endpoint: Final = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """As it is bound."""

    def receive(self, timeout_s: float) -> list[list[bytes]]:
        """The frames of every message that is there, bounded; none if none came in time.

        Of a message with more parts than any has that is taken, only so many are kept that this is seen.
        """
        messages: list[list[bytes]] = []
        wait_s = min(timeout_s, CHECK_S) if self._handshakes.connections else timeout_s
        size = 0
        while size < RECEIVE_BYTES and len(messages) < RECEIVE_QUEUE_MESSAGES:
            if not self._socket.poll(0 if messages else round(wait_s * 1000)):
                break
            messages.append(self._receive_message())
            size += sum(map(len, messages[-1]))
        # After them: a sender's handshake is known before its first message is taken.
        self._handshakes.update()
        return messages

    def _receive_message(self) -> list[bytes]:
        frames: list[bytes] = []
        while True:
            frame = self._socket.recv(copy=False)
            if len(frames) <= FRAMES:
                frames.append(frame.bytes)
            if not frame.more:
                self._handshakes.open.took(frame)
                return frames

    def close(self) -> None:
        """Receive no more; the address is free when this returns."""
        self._owned.close()


def sender_limits() -> ConnectionLimits:
    """What senders may take: ZeroMQ itself bounds neither how many they are, nor the parts of one message."""
    return ConnectionLimits(
        connections=connection_share(MAX_SENDERS),
        unread_bytes=FRAMES * MAX_FRAME_BYTES + (1 << 20),
        all_unread_bytes=8 << 20,
    )


def enable_heartbeat(socket: zmq.Socket[bytes]) -> None:
    """Let both ends notice within seconds that the other was cut off."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        what = "is in use; listen on another port" if error.errno == errno.EADDRINUSE else f"cannot be bound: {error}"
        raise SourceError(f"{endpoint} {what}") from error


SENDER_TIMEOUT_NS: Final = 2_000_000_000
"""So long after its last message a sender still locks out others,"""
SOLE_SENDER_TIMEOUT_NS: Final = 500_000_000
"""or so long, if only one connection is left: more than none, because of what one that left had still sent."""
MAX_GAP_S: Final = 30.0
"""A longer gap is not filled with zeros: it ends the session."""

Admission = Literal["next", "out_of_order", "foreign", "new_session"]
"""A message follows; it came already or out of order; it is another sender's, while this one is alive; or a new session
begins with it."""


class SenderLock:
    """Locks a session to its sender, for as long as that is alive.

    Args:
        first: header of the session's first message.
    """

    def __init__(self, first: PacketHeader) -> None:
        self._newest = first
        self._last_message_at_ns = time.monotonic_ns()

    def admit(self, header: PacketHeader, *, sole_sender: bool) -> Admission:
        """What to do with a message after the session's first; one that is next keeps the sender alive.

        Args:
            header: of the message.
            sole_sender: nobody but its sender is connected.
        """
        now_ns = time.monotonic_ns()
        if self._follows(header):
            if header.first - self._newest.end > MAX_GAP_S * header.rate_hz:
                return "new_session"
            self._newest, self._last_message_at_ns = header, now_ns
            return "next"
        # A sender whose messages do not follow has lost count; that heals like the arrival of another one.
        same_session = header.session == self._newest.session
        timeout_ns = SOLE_SENDER_TIMEOUT_NS if sole_sender and not same_session else SENDER_TIMEOUT_NS
        if header.kind == "pcm" and now_ns - self._last_message_at_ns >= timeout_ns:
            return "new_session"
        return "out_of_order" if same_session else "foreign"

    def _follows(self, header: PacketHeader) -> bool:
        newest = self._newest
        return (
            header.session == newest.session
            and header.seq > newest.seq
            and header.first >= newest.end
            and header.pcm == newest.pcm
        )


class PacketTimeline:
    """Blocks of packets by the index of their first frame; what is missing between them is a gap of its length.

    Args:
        header: of the session's first packet; the others have its format, and follow each other.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, header: PacketHeader, selection: ChannelSelection) -> None:
        self._origin: Final = header.first
        self._timeline: Final = Timeline(header.rate_hz, header.channels, selection)
        self._captured_at_ns = 0

    def append(self, packet: PcmPacket, arrived_ns: int) -> Iterator[Block]:
        """The packet's audio, and before it a gap for what is missing; times never run backwards, nor ahead.

        Args:
            packet: one that does not begin before the end of those before it.
            arrived_ns: on the monotonic clock.
        """
        for block in self._blocks(packet, arrived_ns):
            self._captured_at_ns = min(max(self._captured_at_ns, block.captured_at_ns), time.monotonic_ns())
            yield block._replace(captured_at_ns=self._captured_at_ns)

    def _blocks(self, packet: PcmPacket, arrived_ns: int) -> Iterator[Block]:
        header, timeline = packet.header, self._timeline
        missing = header.first - self._origin - timeline.frames
        if missing > 0:
            yield from timeline.append_gap(missing, "network", arrived_ns - timeline.duration_ns(header.frames))
        if header.lost:
            yield from timeline.append_gap(header.frames, header.lost, arrived_ns)
        else:
            yield from timeline.append(packet.audio, arrived_ns)
