"""ZeroMQ peers that do not keep to the rules: ZMTP written byte by byte, and what a process takes meanwhile."""

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

GREETING: Final = b"\xff" + bytes(8) + b"\x7f\x03\x00"
TIMEOUT_S: Final = 10.0


def greeting(mechanism: bytes = b"NULL") -> bytes:
    """What a connection begins with."""
    return GREETING + mechanism.ljust(20, b"\0") + bytes(32)


def frame(body: bytes, *, more: bool = False, command: bool = False, claimed: int | None = None) -> bytes:
    """A frame, whose length may be claimed to be another."""
    return struct.pack("!BQ", 2 | more | command << 2, len(body) if claimed is None else claimed) + body


def ready(kind: bytes) -> bytes:
    """The handshake of a socket without encryption."""
    return frame(b"\x05READY\x0bSocket-Type" + struct.pack("!I", len(kind)) + kind, command=True)


@contextmanager
def connected(endpoint: str, kind: bytes = b"") -> Iterator[socket.socket]:
    """A connection; with a socket's kind, after the handshake."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        if kind:
            connection.sendall(greeting() + ready(kind))
            with connection.makefile("rb") as reading:
                # The other end's greeting, and its READY.
                reading.read(64)
                reading.read(reading.read(2)[1])
        yield connection


def send_all(connection: socket.socket, data: bytes, times: int) -> int:
    """Send the same again and again until that is enough, or the other end no longer takes it; how often it did."""
    for done in range(times):
        try:
            connection.sendall(data)
        except OSError:
            return done
    return times


@contextmanager
def half_open(endpoint: str, connections: int) -> Iterator[None]:
    """Connections that say nothing."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    with ExitStack() as stack:
        for _ in range(connections):
            connection = stack.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex((host, int(port)))
        yield


def peak_memory_mb(pid: int) -> float:
    """The most that a process ever held in memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@contextmanager
def script(code: str, *args: str, descriptors: int | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A process that runs Python code, whose first lines can be read, with a limit of file descriptors."""
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors}, {descriptors}))\n"
    command = [sys.executable, "-c", (limit if descriptors else "") + code, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
