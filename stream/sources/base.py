"""What a source of audio is."""

from collections.abc import Iterator
from typing import Protocol

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import ClockKind, GapCause


class SessionOverError(SourceError):
    """The sender began anew: its samples no longer follow those before. `blocks` may be called again at once."""


class Source(Protocol):
    """Audio that can be listened to, once.

    A loss inside it is made up for with zeros of the true length, in blocks that say so: so an index is always a time.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def uri(self) -> str:
        """Where it is, without any secret."""

    @property
    def clock(self) -> ClockKind:
        """What the blocks' heard-times are made of."""

    @property
    def live(self) -> bool:
        """Whether it goes on without us: samples that are not taken in time are lost. Otherwise it waits."""

    @property
    def disconnect_cause(self) -> GapCause:
        """What to call it when the whole input goes away."""

    @property
    def warning(self) -> str:
        """What is wrong with what arrives, or was lately, in one line, such as that a sender is refused; else empty."""

    def blocks(self) -> Iterator[Block]:
        """The audio from first to last sample; runs in a thread of its own. Returns when it ends on purpose.

        Raises:
            SourceError: the audio is damaged, or went away.
            SessionOverError: the sender began anew.
        """

    def stop(self) -> None:
        """Make `blocks` end soon; may be called from any thread, also twice."""
