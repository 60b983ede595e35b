"""Too few file descriptors: said, and no crash."""

from tests.stream.raw_peer import script

FULL = """
import os, sys
from whoplays.models.errors import EndpointError, SourceError
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.security.handshakes import Handshakes
from whoplays.stream.sources.remote.receiver import PullSocket
from whoplays.stream.common.descriptors import raise_descriptor_limit

assert raise_descriptor_limit() == 64
for _ in range(64 - len(os.listdir("/proc/self/fd")) - 4):
    os.dup(0)
try:
    Publisher("tcp://127.0.0.1:*").__enter__()
except EndpointError as error:
    print(error)
try:
    PullSocket("tcp://127.0.0.1:*", None, Handshakes())
except SourceError as error:
    print(error)
"""


def test_a_socket_that_there_are_too_few_for_is_refused() -> None:
    with script(FULL, descriptors=64) as process:
        told, errors = process.communicate(timeout=20)
    assert errors == ""
    for what, line in zip(("publish", "listen"), told.splitlines(), strict=True):
        assert (
            line
            == f"cannot {what} on tcp://127.0.0.1:*: Too many open files; raise the limit on open files (ulimit -n)"
        )
