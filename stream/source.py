"""What a source of audio is."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

from whoplays.models.errors import SourceError
from whoplays.stream.ring import Audio

ClockKind = Literal["adc", "arrival", "file"]
"""What heard-times are made of: the converter's clock, the time of arrival here, or a file's own schedule (which it has
only in real time: at `max` speed, the time of reading)."""

Cause = Literal["overflow", "network", "device_lost", "overload"]
"""Why samples were lost: a device was not read in time, packets did not arrive, the input went away, or inference could
not keep up."""


class SessionOverError(SourceError):
    """The sender began anew: its samples no longer follow those before. `blocks` may be called again at once."""


class Block(NamedTuple):
    """Consecutive samples as they leave a source."""

    audio: Audio
    """`[2, n]` float32 in [-1, 1] at 44 100 Hz, finite, any n."""
    heard_ns: int
    """When the last of them was heard, on the monotonic clock."""
    lost: Cause | None = None
    """Why these samples, all zero, stand for what was lost; None if they were heard."""


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
    def outage(self) -> Cause:
        """What to call it when the whole input goes away."""

    @property
    def remark(self) -> str:
        """What is wrong with what arrives, or was lately, in one line, such as that a sender is refused; else empty."""

    def blocks(self) -> Iterator[Block]:
        """The audio from first to last sample; runs in a thread of its own. Returns when it ends on purpose.

        Raises:
            SourceError: the audio is damaged, or went away.
            SessionOverError: the sender began anew.
        """

    def stop(self) -> None:
        """Make `blocks` end soon; may be called from any thread, also twice."""
