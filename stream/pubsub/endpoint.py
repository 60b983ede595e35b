"""Addresses to bind and to connect to, and who may reach them there."""

import errno
import ipaddress
import re
import socket
from typing import Final

import zmq

from whoplays.models.errors import EndpointError

DEFAULT_ENDPOINT: Final = "tcp://127.0.0.1:9460"
LAST_PORT: Final = 65_535


def check_bind(endpoint: str, *, insecure: bool = False, encrypted: bool = False) -> None:
    """Refuse to publish where strangers could listen, unless keys keep them out or the user insists.

    Raises:
        EndpointError: the address is none, or is open to the network.
    """
    if not _is_address(endpoint):
        raise EndpointError(f"{endpoint!r} is no address to publish on; give one such as {DEFAULT_ENDPOINT}")
    if is_open(endpoint) and not (encrypted or insecure):
        raise EndpointError(
            f"{endpoint} is open to the network, unencrypted; "
            "publish on 127.0.0.1, give keys (whoplays keys), or allow it with insecure"
        )


def check_connect(endpoint: str) -> None:
    """Refuse what cannot be connected to.

    Raises:
        EndpointError: the address is none.
    """
    if not _is_address(endpoint) or endpoint.endswith(":*"):
        raise EndpointError(f"{endpoint!r} is no address to connect to; give one such as tcp://central.example:9461")


def is_open(endpoint: str) -> bool:
    """Whether an address can be reached from other machines."""
    scheme, _, rest = endpoint.partition("://")
    return scheme != "ipc" and not _is_loopback(rest.rpartition(":")[0].strip("[]"))


def is_taken(endpoint: str) -> bool:
    """Whether somebody has this `ipc://` address; ZeroMQ would take it away without a word."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc":
        return False
    # Of another kind than ZeroMQ's, on purpose: so who is there is found, and hears nothing of it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            return error.errno == errno.EPROTOTYPE
    return True


def keep_alive(socket: zmq.Socket[bytes]) -> None:
    """Let the operating system notice within half a minute that the other end was cut off, and connect anew."""
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)


def speak_ipv6(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Let a socket have an IPv6 address, for which ZeroMQ has to be told; before it is bound or connected.

    Any other stays as it is: a name, such as `localhost`, would be looked up in IPv6 first, where the other end is not.
    """
    if endpoint.startswith("tcp://["):
        socket.setsockopt(zmq.IPV6, 1)


def _is_address(endpoint: str) -> bool:
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc":
        return bool(rest)
    found = re.fullmatch(r"tcp://[^\s/]+:(?P<port>\*|\d{1,5})", endpoint)
    return found is not None and (found["port"] == "*" or int(found["port"]) <= LAST_PORT)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
