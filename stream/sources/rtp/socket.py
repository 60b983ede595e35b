"""The socket that packets come to."""

import errno
import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.common.uri import host_and_port
from whoplays.stream.sources.rtp.address import is_group

BUFFER_BYTES: Final = 4 << 20
"""What the system is asked to keep for us while we are busy; it may keep less."""
MOST_DATAGRAM_BYTES: Final = 65_536
TOLERANCE_S: Final = 0.001

_ADVICE: Final = {
    errno.EADDRINUSE: "another program has it; end that one, or take another port",
    errno.EADDRNOTAVAIL: "no interface here has this address; give one of this machine, or none for all",
    errno.EACCES: "this port is reserved; take one from 1024 on",
    errno.ENODEV: "no interface leads there; name one with ?interface=",
}


class Datagram(NamedTuple):
    """What came."""

    data: bytes
    arrived_ns: int
    """On the monotonic clock."""


class UdpReceiver:
    """A bound UDP socket; for a multicast group, one that has joined it.

    Raises:
        SourceError: the address cannot be bound, or the group not be joined.
    """

    def __init__(self, host: str, port: int, interface: str = "") -> None:
        self.label: Final = label(host, port)
        self._timeout_s = 0.0
        if interface and not is_group(host):
            raise SourceError(f"interface={interface} is for multicast groups; bind to the interface's address instead")
        try:
            self._socket: Final = _open(host, port, interface)
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "check the address")
            raise SourceError(f"cannot listen on {self.label}: {error.strerror or error}; {advice}") from error
        except ValueError as error:
            raise SourceError(f"cannot listen on {self.label}: this is no address; check it") from error

    @property
    def port(self) -> int:
        """The port; the one that the system chose if 0 was asked for."""
        return int(self._socket.getsockname()[1])

    def receive(self, timeout_s: float, most: int) -> Iterator[Datagram]:
        """The datagrams that are there, up to so many, each read when it is asked for; waits for the first.

        Raises:
            SourceError: the socket failed.
        """
        try:
            self._wait_at_most(timeout_s)
            data = self._socket.recv(MOST_DATAGRAM_BYTES, 0 if timeout_s else socket.MSG_DONTWAIT)
            yield Datagram(data, time.monotonic_ns())
            for _ in range(most - 1):
                data = self._socket.recv(MOST_DATAGRAM_BYTES, socket.MSG_DONTWAIT)
                yield Datagram(data, time.monotonic_ns())
        except BlockingIOError:
            return
        except OSError as error:
            raise SourceError(f"{self.label} can no longer be read: {error.strerror}; check the network") from error

    def _wait_at_most(self, timeout_s: float) -> None:
        """Let the system end the waiting: Python's own timeouts cost three more calls a packet.

        Each call lets go of the interpreter, for which the threads of many streams then queue up.
        """
        if timeout_s and abs(timeout_s - self._timeout_s) > TOLERANCE_S:
            seconds, rest_s = divmod(max(timeout_s, TOLERANCE_S), 1.0)
            timeval = struct.pack("ll", int(seconds), round(rest_s * 1e6))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
            self._timeout_s = timeout_s

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._socket.close()


def label(host: str, port: int) -> str:
    """What a socket that is bound there is called."""
    return host_and_port(host, port) if host else f"port {port}"


def _open(host: str, port: int, interface: str) -> socket.socket:
    opened = _bindable(host)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        if is_group(host):
            # Every program may listen to a group; a port of this machine is for one.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(_resolve(host, port, opened.family))
        if is_group(host):
            _join(opened, host, interface)
    except (OSError, ValueError, SourceError):
        opened.close()
        raise
    return opened


def _bindable(host: str) -> socket.socket:
    """A socket of the family that the host is of; of both, where it is none in particular."""
    if not host and socket.has_dualstack_ipv6():
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return both
    family = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_DGRAM)[0][0]  # noqa: S104
    return socket.socket(family, socket.SOCK_DGRAM)


def _resolve(host: str, port: int, family: int) -> tuple[object, ...]:
    found = socket.getaddrinfo(host or None, port, family, socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    return found[0][4]


def _join(opened: socket.socket, group: str, interface: str) -> None:
    packed = ipaddress.ip_address(group).packed
    if opened.family == socket.AF_INET6:
        membership = packed + struct.pack("@I", _index(interface))
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        return
    address = _ipv4(interface)
    # ip_mreqn: the group, and the interface by its address or, if that is all zeros, by its index.
    membership = packed + (address or bytes(4)) + struct.pack("@i", 0 if address else _index(interface))
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def _ipv4(interface: str) -> bytes | None:
    try:
        return ipaddress.IPv4Address(interface).packed
    except ValueError:
        return None


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface) if interface else 0
    except OSError as error:
        raise SourceError(f"there is no network interface {interface}; ip link lists those there are") from error
