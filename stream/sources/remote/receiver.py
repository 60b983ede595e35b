"""The bound socket at which a sender's messages arrive."""

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
from whoplays.stream.pubsub.endpoint import enable_ipv6
from whoplays.stream.security.allow_list import ServerKeys, zap_authenticator
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.sources.remote.protocol import MOST_BYTES, Header, Packet

ALIVE_NS: Final = 2_000_000_000
"""So long after its last message nobody else is heard in a sender's place,"""
ALONE_NS: Final = 500_000_000
"""or so long, if only one connection is left: more than none, because of what one that left had still sent."""
LONGEST_HOLE_S: Final = 30.0
"""A longer one is not made up for with zeros: it ends the session."""

Verdict = Literal["next", "repeated", "stranger", "anew"]
"""It follows; it came already or is out of order; it is somebody else's, while the sender is alive; or a new session
begins with it."""


class SenderLock:
    """Judges each message after a session's first.

    Args:
        first: header of the session's first message.
    """

    def __init__(self, first: Header) -> None:
        self._newest = first
        self._heard_ns = time.monotonic_ns()

    def judge(self, header: Header, *, alone: bool) -> Verdict:
        """What to do with a message; one that follows is taken to be heard now.

        Args:
            header: of the message.
            alone: nobody but its sender is connected.
        """
        if self._follows(header):
            missing_s = (header.first - self._newest.end) / header.rate_hz
            if missing_s > LONGEST_HOLE_S:
                return "anew"
            self._newest, self._heard_ns = header, time.monotonic_ns()
            return "next"
        # Whoever has the floor and still does not follow has lost count; that heals like the arrival of another.
        known = header.session == self._newest.session
        alive = time.monotonic_ns() - self._heard_ns < (ALONE_NS if alone and not known else ALIVE_NS)
        if header.kind == "pcm" and not alive:
            return "anew"
        return "repeated" if known else "stranger"

    def _follows(self, header: Header) -> bool:
        newest = self._newest
        return (
            header.session == newest.session
            and header.seq > newest.seq
            and header.first >= newest.end
            and header.pcm == newest.pcm
        )


class PacketTimeline:
    """Places packets by the index of their first frame; what is missing between them becomes zeros of its length.

    Args:
        header: of the session's first packet; the others agree with it, and follow each other.
        selection: which channels are taken, and how loud.

    Raises:
        SourceError: a chosen channel is not there.
    """

    def __init__(self, header: Header, selection: ChannelSelection) -> None:
        self._origin: Final = header.first
        self._timeline: Final = Timeline(header.rate_hz, header.channels, selection)
        self._newest_ns = 0

    def place(self, packet: Packet, arrived_ns: int) -> Iterator[Block]:
        """The packet's audio, and before it zeros for what is missing; time never runs backwards, nor ahead.

        Args:
            packet: one that does not begin before the end of those before it.
            arrived_ns: on the monotonic clock.
        """
        for block in self._blocks(packet, arrived_ns):
            self._newest_ns = min(max(self._newest_ns, block.captured_at_ns), time.monotonic_ns())
            yield block._replace(captured_at_ns=self._newest_ns)

    def _blocks(self, packet: Packet, arrived_ns: int) -> Iterator[Block]:
        header, timeline = packet.header, self._timeline
        missing = header.first - self._origin - timeline.frames
        if missing > 0:
            yield from timeline.append_gap(missing, "network", arrived_ns - timeline.duration_ns(header.frames))
        if header.lost:
            yield from timeline.append_gap(header.frames, header.lost, arrived_ns)
        else:
            yield from timeline.append(packet.audio, arrived_ns)


HIGH_WATER_MESSAGES: Final = 128
"""Of each sender: 6 s as `whoplays send` cuts audio."""
HEARTBEAT_MS: Final = 1_000
DEAD_MS: Final = 3_000


class PullSocket:
    """Receives messages from whoever connects; bound until `close`.

    Args:
        endpoint: a ZeroMQ address.
        keys: encrypt, and admit those alone whose keys are allowed.
        handshakes: counts who was admitted and refused.

    Raises:
        SourceError: the address is in use, or cannot be bound.
    """

    def __init__(self, endpoint: str, keys: ServerKeys | None, handshakes: Handshakes) -> None:
        self._handshakes: Final = handshakes
        with ExitStack() as stack:
            context = stack.enter_context(zmq.Context())
            stack.enter_context(zap_authenticator(context, keys))
            self._socket: Final = stack.enter_context(context.socket(zmq.PULL))
            stack.enter_context(self._handshakes.watching(self._socket))
            self._socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MESSAGES)
            self._socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
            be_heard_of(self._socket)
            enable_ipv6(self._socket, endpoint)
            if keys:
                keys.apply(self._socket)
            _bind(self._socket, endpoint)
            self._owned: Final = stack.pop_all()
        self.endpoint: Final = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        """As it is bound."""

    def receive(self, timeout_s: float) -> list[list[bytes]]:
        """The frames of every message that is there, bounded; none if none came in time."""
        messages: list[list[bytes]] = []
        if self._socket.poll(round(timeout_s * 1000)):
            messages.append(self._socket.recv_multipart())
        while messages and len(messages) < HIGH_WATER_MESSAGES and self._socket.poll(0):
            messages.append(self._socket.recv_multipart())
        # After them: a sender's handshake is known before its first message is judged.
        self._handshakes.update()
        return messages

    def close(self) -> None:
        """Receive no more; the address is free when this returns."""
        self._owned.close()


def be_heard_of(socket: zmq.Socket[bytes]) -> None:
    """Let both ends notice within seconds that the other was cut off."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, DEAD_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, DEAD_MS)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        what = "is in use; listen on another port" if error.errno == errno.EADDRINUSE else f"is of no use: {error}"
        raise SourceError(f"{endpoint} {what}") from error
