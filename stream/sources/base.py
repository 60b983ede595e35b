"""What a source of audio is, and how one is opened."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol, Self

from whoplays.models.errors import SourceError
from whoplays.stream.audio.block import Block
from whoplays.stream.common.clock import ClockKind, GapCause

Speed = Literal["realtime", "max"]
"""How fast a recording is played: as it would be heard, or as fast as can be."""


class SessionOverError(SourceError):
    """The sender began anew: its samples no longer follow those before. `blocks` may be called again at once."""


class RecordingError(SourceError):
    """A recording was read to its end, and was not whole: there is nothing to wait for, and no use in trying again."""


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
        """What the blocks' capture times are made of."""

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


class SourceSpec(NamedTuple):
    """A source that can be opened."""

    name: str
    """What people call it before it is open."""
    uri: str
    """Where it is, without any secret."""
    open: Callable[[], Source]
    """Opens it; raises a SourceError if it cannot be opened."""
    live: bool
    """Whether it goes on without us; see `Source`."""
    reconnects: bool
    """Whether it is opened again when it is lost."""

    @classmethod
    def opened(cls, source: Source) -> Self:
        """A source that is open already, and over when it ends or fails."""
        return cls(source.name, source.uri, lambda: source, source.live, reconnects=False)


class BoundAddress(NamedTuple):
    """An address of this machine that a source binds."""

    protocol: Literal["tcp", "udp"]
    host: str
    """A numeric address, without brackets, or what stands for all of them."""
    port: int
    """0 for any free one."""
