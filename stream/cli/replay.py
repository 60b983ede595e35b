"""`whoplays replay`."""

import threading
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import DataError, require_between
from whoplays.stream.common.terminal import note, stop_on_signals
from whoplays.stream.history.messages import is_history, session_messages
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.recording import publish_again, read_recording
from whoplays.stream.security.allow_list import server_keys


def replay(
    file: Path,
    /,
    *,
    speed: float = 1.0,
    stream: str | None = None,
    session: str | None = None,
    publish: str = DEFAULT_ENDPOINT,
    wait: float = 0.0,
    insecure: Annotated[bool, Parameter(negative=())] = False,
    keys: Path | None = None,
    allowed: Path | None = None,
) -> None:
    """Publish recorded messages again, with their timing: to try a subscriber, a page or a relay without audio.

    Args:
        file: What whoplays listen --json or watch --json printed, or the database of whoplays serve.
        speed: How many times as fast as they came.
        stream: The one stream to publish; of a database, whose session it is.
        session: Of a database, the session to publish; the newest unless given.
        publish: The ZeroMQ address to publish on; port * takes any free one.
        wait: Seconds to wait for a first subscriber, up to a day.
        insecure: Allow an address that is open to the network without encryption.
        keys: Encrypt: the secret key file of this end, as whoplays keys makes it.
        allowed: The folder with the public keys of those who may connect; that of whoplays keys allow unless given.
    """
    require_between("speed", speed, 0.01, 1000)
    require_between("wait", wait, 0, 86_400, "s")
    own = server_keys(keys, allowed)
    if is_history(file):
        recorded = session_messages(file, stream, session)
    else:
        recorded = (each for each in read_recording(file) if stream in {None, each.stream})
    stopped = threading.Event()
    with (
        Publisher(publish, insecure=insecure, keys=own, on_handshake_failed=note) as publisher,
        stop_on_signals(stopped.set),
    ):
        note(f"publishing on {publisher.endpoint}")
        publisher.wait_for_subscriber(wait)
        if not publish_again(recorded, publisher, stopped, speed):
            raise DataError(f"{file} has no message" + (f" of stream {stream}" if stream else ""))
