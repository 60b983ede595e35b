"""Who is heard: one sender at a time, and of it each message once, in order."""

import time
from typing import Final, Literal

from whoplays.stream.sources.remote.protocol import Header

ALIVE_NS: Final = 2_000_000_000
"""So long after its last message nobody else is heard in a sender's place,"""
ALONE_NS: Final = 500_000_000
"""or so long, if only one connection is left: more than none, because of what one that left had still sent."""
LONGEST_HOLE_S: Final = 30.0
"""A longer one is not made up for with zeros: it ends the session."""

Verdict = Literal["next", "repeated", "stranger", "anew"]
"""It follows; it came already or is out of order; it is somebody else's, while the sender is alive; or a new session
begins with it."""


class Floor:
    """Judges each message after a session's first.

    Args:
        first: header of the session's first message.
    """

    def __init__(self, first: Header) -> None:
        self._newest = first
        self._heard_ns = time.monotonic_ns()

    def judge(self, header: Header, *, alone: bool) -> Verdict:
        """What to do with a message; one that follows is taken to be heard now.

        Args:
            header: of the message.
            alone: nobody but its sender is connected.
        """
        if self._follows(header):
            missing_s = (header.first - self._newest.end) / header.rate_hz
            if missing_s > LONGEST_HOLE_S:
                return "anew"
            self._newest, self._heard_ns = header, time.monotonic_ns()
            return "next"
        # Whoever has the floor and still does not follow has lost count; that heals like the arrival of another.
        known = header.session == self._newest.session
        alive = time.monotonic_ns() - self._heard_ns < (ALONE_NS if alone and not known else ALIVE_NS)
        if header.kind == "pcm" and not alive:
            return "anew"
        return "repeated" if known else "stranger"

    def _follows(self, header: Header) -> bool:
        newest = self._newest
        return (
            header.session == newest.session
            and header.seq > newest.seq
            and header.first >= newest.end
            and header.pcm == newest.pcm
        )
