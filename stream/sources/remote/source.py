"""A remote sender of PCM as a source."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.clock import ClockKind, GapCause, RecentIncreases
from whoplays.stream.common.paths import expanded
from whoplays.stream.common.uri import LAST_PORT, Address, host_and_port, parse_uri, redact
from whoplays.stream.pubsub.endpoint import is_open
from whoplays.stream.security.allow_list import ServerKeys, server_keys
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.sources.base import BoundAddress, SessionOverError
from whoplays.stream.sources.remote.protocol import PacketError, PcmPacket, sort_sessions, unpack
from whoplays.stream.sources.remote.receiver import PacketTimeline, PullSocket, SenderLock, sender_limits


class RemoteAddress(NamedTuple):
    """An address to bind."""

    endpoint: str
    """As ZeroMQ has it."""
    uri: str
    """As it is shown, without any secret."""
    keys: ServerKeys | None


def parse_remote_address(uri: str) -> RemoteAddress:
    """An address such as `zmq://127.0.0.1:9461` or `zmq://*:9461?keys=FILE&allowed=FOLDER`; port 0 is any free one.

    `keys` is a secret key file and `allowed` the folder of who may connect; with `insecure=1` an address that is open
    to the network needs none.

    Raises:
        SourceError: the address cannot be parsed, or is open to the network; keys cannot be read.
    """
    address = parse_uri(uri, frozenset({"keys", "allowed", "insecure"}))
    parsed = RemoteAddress(_endpoint(address, redact(uri)), redact(uri), _keys(address.options))
    if is_open(parsed.endpoint) and parsed.keys is None and address.options.get("insecure") != "1":
        raise SourceError(
            f"{parsed.uri} is open to the network, unencrypted; "
            "listen on 127.0.0.1, add ?keys=FILE&allowed=FOLDER (whoplays keys), or ?insecure=1"
        )
    return parsed


def _endpoint(address: Address, shown: str) -> str:
    if not address.host or address.port is None or not 0 <= address.port <= LAST_PORT:
        raise SourceError(f"{shown} must have a host and a port, such as zmq://127.0.0.1:9461")
    return f"tcp://{host_and_port(address.host, address.port or '*')}"


def _keys(options: dict[str, str]) -> ServerKeys | None:
    try:
        keys, allowed = (expanded(options[name]) if name in options else None for name in ("keys", "allowed"))
        return server_keys(keys, allowed)
    except OptionError as error:
        raise SourceError(str(error)) from error


POLL_S: Final = 0.1


class RemoteCounters(msgspec.Struct):
    """Messages that were not taken, since the source was opened."""

    rejected: int = 0
    """They cannot be parsed, are of another version, or hold no audio."""
    out_of_order: int = 0
    """They came already, or after later ones."""
    foreign: int = 0
    """Of another sender, while one was alive."""
    reject_reason: str = ""
    """Of the newest one that was rejected."""


class Arrival(NamedTuple):
    """A packet, and when it came on the monotonic clock."""

    packet: PcmPacket
    arrived_ns: int


class RemoteSource:
    """Whoever sends with `whoplays send`, one sender at a time; this end binds, so that senders come and go.

    The address is bound from the first block to the end of `blocks`; if that is a new session, then on, until `blocks`
    is called again or `stop` is.
    """

    def __init__(self, address: RemoteAddress, selection: ChannelSelection) -> None:
        self.name = address.uri
        self.uri = address.uri
        self.clock: ClockKind = "arrival"
        self.disconnect_cause: GapCause = "network"
        self.live = True
        self.counters: Final = RemoteCounters()
        self.endpoint = address.endpoint
        """Once bound, the address as it is bound."""
        self.handshakes: Final = Handshakes(limits=sender_limits())
        """How many senders were admitted and refused."""
        self._recent: Final = RecentIncreases()
        self._selection: Final = selection
        self._keys: Final = address.keys
        self._stopped: Final = threading.Event()
        self._lock: Final = threading.Lock()
        self._running = False
        self._socket: PullSocket | None = None
        self._pending: Final = deque[Arrival]()

    @property
    def warning(self) -> str:
        """That a sender or its messages are refused, and why; see `Source`."""
        risen = self._recent.names()
        if "handshakes" in risen and self.handshakes.reason:
            return f"a sender is refused: {self.handshakes.reason}"
        if "ended" in risen:
            return f"a connection was ended: {self.handshakes.open.reason}"
        if "rejected" in risen:
            return f"messages are rejected: {self.counters.reject_reason}"
        return "another sender is ignored" if "foreign" in risen else ""

    def blocks(self) -> Iterator[Block]:
        """What is sent, up to the end of the session; see `Source`."""
        with self._lock:
            self._running = True
        # Between two sessions the address stays bound.
        stays_bound = False
        try:
            yield from self._read_session()
        except SessionOverError:
            stays_bound = True
            raise
        finally:
            with self._lock:
                self._running = False
                if self._stopped.is_set() or not stays_bound:
                    self._close()

    def stop(self) -> None:
        """Make `blocks` end soon, and free the address; see `Source`."""
        with self._lock:
            self._stopped.set()
            if not self._running:
                self._close()

    def _read_session(self) -> Iterator[Block]:
        arrivals = self._receive()
        first = next((arrival for arrival in arrivals if arrival.packet.header.kind != "end"), None)
        if first is None:
            return
        header = first.packet.header
        self.name = header.name
        timeline, lock = PacketTimeline(header, self._selection), SenderLock(header)
        yield from timeline.append(*first)
        for arrival in arrivals:
            if self._is_next(lock, arrival):
                yield from timeline.append(*arrival)
                if arrival.packet.header.kind == "end":
                    raise SourceError(f"the sender of {self.name} left; start whoplays send there again")

    def _receive(self) -> Iterator[Arrival]:
        """Packets as they arrive, until stopped."""
        while not self._stopped.is_set():
            if self._socket is None:
                self._socket = PullSocket(self.endpoint, self._keys, self.handshakes)
                self.endpoint = self._socket.endpoint
            if self._pending:
                yield self._pending.popleft()
                continue
            messages = self._socket.receive(POLL_S)
            arrived_ns = time.monotonic_ns()
            self._pending.extend(Arrival(packet, arrived_ns) for packet in sort_sessions(self._unpack(messages)))
            self._recent.update(
                handshakes=self.handshakes.failed,
                ended=self.handshakes.open.ended,
                rejected=self.counters.rejected,
                foreign=self.counters.foreign,
            )

    def _unpack(self, messages: Iterable[Sequence[bytes]]) -> Iterator[PcmPacket]:
        for frames in messages:
            try:
                yield unpack(frames)
            except PacketError as error:
                self.counters.rejected += 1
                self.counters.reject_reason = str(error)

    def _is_next(self, lock: SenderLock, arrival: Arrival) -> bool:
        admission = lock.admit(arrival.packet.header, sole_sender=self.handshakes.connections <= 1)
        match admission:
            case "out_of_order":
                self.counters.out_of_order += 1
            case "foreign":
                self.counters.foreign += 1
            case "new_session":
                self._pending.appendleft(arrival)
                raise SessionOverError(f"{arrival.packet.header.name} begins a new session")
        return admission == "next"

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._pending.clear()


def open_remote(uri: str, selection: ChannelSelection) -> RemoteSource:
    """A source at an address such as `zmq://127.0.0.1:9461`.

    Raises:
        SourceError: see `parse_remote_address`.
    """
    return RemoteSource(parse_remote_address(uri), selection)


def check_address(uri: str, _selection: ChannelSelection) -> BoundAddress:
    """The address that is bound.

    Raises:
        SourceError: see `parse_remote_address`.
    """
    host, _, port = parse_remote_address(uri).endpoint.removeprefix("tcp://").rpartition(":")
    return BoundAddress("tcp", host.strip("[]"), 0 if port == "*" else int(port))
