"""The UDP socket at which packets arrive."""

import errno
import ipaddress
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.common.uri import host_and_port
from whoplays.stream.sources.rtp.address import is_multicast

RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""What the system is asked to buffer while this process is busy; it may grant less."""
MAX_DATAGRAM_BYTES: Final = 65_536
TIMEOUT_TOLERANCE_S: Final = 0.001

_ADVICE: Final = {
    errno.EADDRINUSE: "another program has it; end that one, or take another port",
    errno.EADDRNOTAVAIL: "no interface here has this address; give one of this machine, or none for all",
    errno.EACCES: "this port is reserved; take one from 1024 on",
    errno.ENODEV: "no interface leads there; name one with ?interface=",
}


class Datagram(NamedTuple):
    """What arrived."""

    data: bytes
    arrived_ns: int
    """On the monotonic clock."""
    source: str
    """The address that sent it; its port may change whenever a sender starts."""


class UdpReceiver:
    """A bound UDP socket; for a multicast group, one that has joined it.

    Raises:
        SourceError: the address cannot be bound, or the group not be joined.
    """

    def __init__(self, host: str, port: int, interface: str = "") -> None:
        self._name: Final = bound_name(host, port)
        self._timeout_s = 0.0
        if interface and not is_multicast(host):
            raise SourceError(f"interface={interface} is for multicast groups; bind to the interface's address instead")
        try:
            self._socket: Final = _open(host, port, interface)
        except OSError as error:
            advice = _ADVICE.get(error.errno or 0, "check the address")
            raise SourceError(f"cannot listen on {self._name}: {error.strerror or error}; {advice}") from error
        except ValueError as error:
            raise SourceError(f"cannot listen on {self._name}: the address is not valid; check it") from error

    @property
    def port(self) -> int:
        """The port; the one that the system chose if 0 was asked for."""
        return int(self._socket.getsockname()[1])

    def receive(self, timeout_s: float, limit: int) -> Iterator[Datagram]:
        """Up to `limit` datagrams that are there, each read when it is asked for; waits for the first.

        Raises:
            SourceError: the socket failed.
        """
        try:
            self._set_timeout(timeout_s)
            yield self._receive(0 if timeout_s else socket.MSG_DONTWAIT)
            for _ in range(limit - 1):
                yield self._receive(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            raise SourceError(f"{self._name} can no longer be read: {error.strerror}; check the network") from error

    def close(self) -> None:
        """Free the port; may be called twice."""
        self._socket.close()

    def _receive(self, flags: int) -> Datagram:
        data, address = self._socket.recvfrom(MAX_DATAGRAM_BYTES, flags)
        return Datagram(data, time.monotonic_ns(), str(address[0]))

    def _set_timeout(self, timeout_s: float) -> None:
        """Let the system end the waiting: Python's own timeouts cost three more calls a packet.

        Each call lets go of the interpreter, for which the threads of many streams then queue up.
        """
        if timeout_s and abs(timeout_s - self._timeout_s) > TIMEOUT_TOLERANCE_S:
            seconds, rest_s = divmod(max(timeout_s, TIMEOUT_TOLERANCE_S), 1.0)
            timeval = struct.pack("ll", int(seconds), round(rest_s * 1e6))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
            self._timeout_s = timeout_s


def bound_name(host: str, port: int) -> str:
    """What people call a socket that is bound there."""
    return host_and_port(host, port) if host else f"port {port}"


def _open(host: str, port: int, interface: str) -> socket.socket:
    bound = _unbound(host)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if is_multicast(host):
            # Many programs may join a group; a port of this machine belongs to one.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(_resolve(host, port, bound.family))
        if is_multicast(host):
            _join(bound, host, interface)
    except (OSError, ValueError, SourceError):
        bound.close()
        raise
    return bound


def _unbound(host: str) -> socket.socket:
    """A socket of the host's address family; of both families if no host is given."""
    if not host and socket.has_dualstack_ipv6():
        both = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return both
    family = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_DGRAM)[0][0]  # noqa: S104
    return socket.socket(family, socket.SOCK_DGRAM)


def _resolve(host: str, port: int, family: int) -> tuple[object, ...]:
    found = socket.getaddrinfo(host or None, port, family, socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
    return found[0][4]


def _join(bound: socket.socket, group: str, interface: str) -> None:
    packed = ipaddress.ip_address(group).packed
    if bound.family == socket.AF_INET6:
        membership = packed + struct.pack("@I", _interface_index(interface))
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
        return
    address = _ipv4_bytes(interface)
    # ip_mreqn: the group, and the interface by its address or, if that is all zeros, by its index.
    membership = packed + (address or bytes(4)) + struct.pack("@i", 0 if address else _interface_index(interface))
    bound.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def _ipv4_bytes(interface: str) -> bytes | None:
    try:
        return ipaddress.IPv4Address(interface).packed
    except ValueError:
        return None


def _interface_index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface) if interface else 0
    except OSError as error:
        found = ", ".join(name for _, name in socket.if_nameindex())
        raise SourceError(f"network interface {interface} not found on this machine; it has: {found}") from error
