"""`whoplays watch`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.models.errors import EndpointError
from whoplays.stream.cli.views import choose_view
from whoplays.stream.common.terminal import end_on_signals, ignore_broken_pipe
from whoplays.stream.pubsub.endpoint import DEFAULT_ENDPOINT
from whoplays.stream.pubsub.messages import End
from whoplays.stream.pubsub.subscriber import Subscriber
from whoplays.stream.security.keys import client_keys


def watch(
    endpoint: str = DEFAULT_ENDPOINT,
    /,
    *,
    stream: str | None = None,
    until_end: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
    keys: Path | None = None,
    server_key: Path | None = None,
) -> None:
    """Show the messages of a publisher, here or on another machine, and what was lost of them.

    On a terminal each stream has a row, and one of them, which the up and down keys choose, all its labels below.

    Args:
        endpoint: The publisher's ZeroMQ address.
        stream: The one stream to show; all of them unless given.
        until_end: End when a stream has ended; fail if any message was lost before.
        json: Print the messages as they come over the wire, one a line.
        keys: Your own secret key file, for a publisher that encrypts.
        server_key: The publisher's public key file.
    """
    ended = False
    own = client_keys(keys, server_key)
    with (
        ignore_broken_pipe(),
        Subscriber(endpoint, stream, keys=own) as subscriber,
        choose_view(json=json) as view,
        end_on_signals(),
    ):
        for item in subscriber:
            view.show(item)
            ended = until_end and isinstance(item, End)
            if ended:
                break
    if until_end and not (ended and subscriber.lost == 0):
        why = f"{subscriber.lost} messages were lost" if ended else "stopped before the stream had ended"
        raise EndpointError(f"{endpoint}: {why}")
