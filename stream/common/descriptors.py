"""File descriptors: how many this process may have, and what for.

ZeroMQ ends the whole process when it cannot have those that a new socket needs, so it is asked before.
"""

import encodings.idna  # noqa: F401  looked up when a host is, which may be when no file can be opened
import os
import resource
from typing import Final

from whoplays.models.errors import WhoplaysError

DAEMON_DESCRIPTORS: Final = 48
"""What a process has open that publishes, keeps a history and answers monitoring."""
STREAM_DESCRIPTORS: Final = 20
"""What a stream takes at most: a ZeroMQ socket with its threads, and a few connections."""
SOCKET_DESCRIPTORS: Final = 16
"""What making a ZeroMQ socket takes, with its context."""
MOST_DESCRIPTORS: Final = 65_536


def raise_descriptor_limit() -> int:
    """Take as many file descriptors as the system grants; returns how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return descriptor_limit()


def descriptor_limit() -> int:
    """How many file descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def most_streams(descriptors: int) -> int:
    """How many streams fit into a limit of file descriptors.

    >>> most_streams(1024)
    48
    """
    return max(0, (descriptors - DAEMON_DESCRIPTORS) // STREAM_DESCRIPTORS)


def connection_share(wanted: int) -> int:
    """How many connections one socket may hold, so that the rest of the process has file descriptors left."""
    return max(4, min(wanted, descriptor_limit() // 8))


def require_descriptors(what: str, error: type[WhoplaysError]) -> None:
    """Refuse what needs a ZeroMQ socket while there are too few file descriptors left.

    Args:
        what: what cannot be done then.
        error: what to raise.

    Raises:
        WhoplaysError: there are too few; of the kind that is asked for.
    """
    spare: list[int] = []
    try:
        while len(spare) < SOCKET_DESCRIPTORS:
            spare.append(os.dup(0))
    except OSError as full:
        raise error(f"cannot {what}: {full.strerror}; raise the limit on open files (ulimit -n)") from full
    finally:
        for descriptor in spare:
            os.close(descriptor)
