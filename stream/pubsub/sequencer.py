"""One unbroken count of samples, and of messages."""

import secrets
import time
from typing import Final

from whoplays.stream.pubsub.messages import Envelope, Head, kind_of


class MessageSequencer:
    """Numbers the messages of one stream from one start, restart or reconnection to the next.

    Args:
        stream: the stable id of the stream.
    """

    def __init__(self, stream: str) -> None:
        self.stream: Final = stream
        self.id: Final = secrets.token_hex(8)
        self.last_seq: Final[dict[str, int]] = {}
        """The newest seq of each kind."""

    def head(self, message: type[Envelope]) -> Head:
        """The beginning of the next message of a kind, stamped with its number and the time."""
        kind = kind_of(message)
        self.last_seq[kind] = self.last_seq.get(kind, -1) + 1
        return Head(stream=self.stream, session=self.id, seq=self.last_seq[kind], published_ns=time.time_ns())
