"""What the child process does that listens to a sound input."""

from collections.abc import Iterator
from typing import Final, NoReturn

from whoplays.models.errors import SourceError
from whoplays.stream.audio.intake import Intake
from whoplays.stream.sources.child import Send
from whoplays.stream.sources.device.address import Wish
from whoplays.stream.sources.device.capture_queue import Captured
from whoplays.stream.sources.device.ledger import Ledger
from whoplays.stream.sources.device.portaudio import Stream, listening

POLL_S: Final = 0.2
QUIET_S: Final = 5.0


def capture(
    send: Send, selector: str, channels: list[int], gain_db: float, rate_hz: int | None, quiet_s: float = QUIET_S
) -> NoReturn:
    """Listen to an input until it goes away.

    Args:
        send: takes the blocks.
        selector: which input; see `whoplays.stream.sources.device.names.resolve`.
        channels: which are taken; see `Intake`.
        gain_db: how loud.
        rate_hz: at which rate it is opened; its own if None.
        quiet_s: how long it may deliver nothing, not even silence, before it is taken to be gone.

    Raises:
        SourceError: there is no such input, it cannot be opened, or it went away.
    """
    intake = Intake(channels=tuple(channels), gain_db=gain_db)
    with listening(Wish(selector, intake, rate_hz)) as stream:
        ledger = Ledger(stream.rate_hz, stream.channels, intake)
        for captured in follow(stream, quiet_s):
            for block in ledger.blocks(captured):
                send(block)
    raise AssertionError("listening ends with an error only")


def follow(stream: Stream, quiet_s: float) -> Iterator[Captured]:
    """What an input delivers.

    Raises:
        SourceError: it went away, or has delivered nothing for too long.
    """
    empty_polls = 0
    # Not by the clock: it goes on while this process stands still.
    while empty_polls * POLL_S < quiet_s:
        captured = stream.take(POLL_S)
        empty_polls = 0 if captured else empty_polls + 1
        if captured:
            yield captured
    raise SourceError(f"{stream.input.name} has delivered nothing for {quiet_s:.0f} s; see whether it is connected")
