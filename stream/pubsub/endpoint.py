"""ZeroMQ addresses: which may be bound or connected to, and how sockets are set up for them."""

import errno
import os
import re
import socket
from pathlib import Path
from typing import Final

import zmq

from whoplays.models.errors import EndpointError
from whoplays.stream.common.uri import LAST_PORT, is_loopback

DEFAULT_ENDPOINT: Final = "tcp://127.0.0.1:9460"
LONGEST_IPC_BYTES: Final = 107
"""What the system allows (`sun_path`)."""


def check_bind(endpoint: str, *, insecure: bool = False, encrypted: bool = False) -> None:
    """Refuse to publish where strangers could subscribe, unless keys keep them out or the user insists.

    Raises:
        EndpointError: the address is malformed, or is open to the network.
    """
    if not _is_address(endpoint):
        raise EndpointError(f"address to publish on must be like {DEFAULT_ENDPOINT} or ipc://PATH, got {endpoint!r}")
    if is_open(endpoint) and not (encrypted or insecure):
        raise EndpointError(
            f"{endpoint} is open to the network, unencrypted; "
            "publish on 127.0.0.1, give keys (whoplays keys), or allow it with insecure"
        )


def check_connect(endpoint: str) -> None:
    """Refuse what cannot be connected to.

    Raises:
        EndpointError: the address is malformed.
    """
    if not _is_address(endpoint) or endpoint.endswith(":*"):
        raise EndpointError(f"address to connect to must be like {DEFAULT_ENDPOINT} or ipc://PATH, got {endpoint!r}")


def check_ipc(endpoint: str) -> None:
    """Refuse an `ipc://` address that cannot be bound here; others pass, and nothing is made.

    Raises:
        EndpointError: its folder is not there or cannot be written, its path is too long, or a file is there.
    """
    scheme, _, name = endpoint.partition("://")
    if scheme != "ipc" or name.startswith("@"):
        return
    path = Path(name)
    folder = path.parent
    if len(os.fsencode(name)) > LONGEST_IPC_BYTES:
        problem = f"a path must have at most {LONGEST_IPC_BYTES} bytes"
    elif not folder.is_dir():
        problem = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"folder {folder} cannot be written"
    elif path.exists() and not path.is_socket():
        problem = "a file is there"
    else:
        return
    raise EndpointError(f"cannot publish on {endpoint}: {problem}; give another path")


def is_open(endpoint: str) -> bool:
    """Whether an address can be reached from other machines."""
    scheme, _, rest = endpoint.partition("://")
    return scheme != "ipc" and not is_loopback(rest.rpartition(":")[0].strip("[]"))


def is_in_use(endpoint: str) -> bool:
    """Whether an `ipc://` address is bound already: ZeroMQ itself would take it from its owner."""
    scheme, _, path = endpoint.partition("://")
    if scheme != "ipc":
        return False
    # Of another kind than ZeroMQ's: that finds the owner without connecting to it.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except OSError as error:
            return error.errno == errno.EPROTOTYPE
    return True


def enable_keepalive(socket: zmq.Socket[bytes]) -> None:
    """Let the operating system notice within half a minute that the other end was cut off, and reconnect."""
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)


def enable_ipv6(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Enable IPv6 for an IPv6 address alone, before the socket is bound or connected.

    With IPv6 enabled, a name such as `localhost` would be looked up in IPv6 first, where the other end is not.
    """
    if endpoint.startswith("tcp://["):
        socket.setsockopt(zmq.IPV6, 1)


def connect(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Connect a socket; the other end need not be there yet.

    Raises:
        EndpointError: ZeroMQ does not accept the address.
    """
    enable_ipv6(socket, endpoint)
    try:
        socket.connect(endpoint)
    except zmq.ZMQError as error:
        raise EndpointError(f"cannot connect to {endpoint}: {error.strerror}") from error


def _is_address(endpoint: str) -> bool:
    scheme, _, rest = endpoint.partition("://")
    if scheme == "ipc":
        return bool(rest)
    found = re.fullmatch(r"tcp://(?:\[[^\s/\]]+\]|[^\s/:\[\]]+):(?P<port>\*|\d{1,5})", endpoint)
    return found is not None and (found["port"] == "*" or int(found["port"]) <= LAST_PORT)
