"""What the child process does that listens to a sound input."""

import time
from collections.abc import Iterator
from typing import Final, NoReturn

from models.errors import SourceError
from stream.child import Send
from stream.device.address import Wish
from stream.device.capture_queue import Captured
from stream.device.ledger import Ledger
from stream.device.portaudio import Stream, listening
from stream.intake import Intake

POLL_S: Final = 0.2
QUIET_S: Final = 5.0


def capture(
    send: Send, selector: str, channels: list[int], gain_db: float, rate_hz: int | None, quiet_s: float = QUIET_S
) -> NoReturn:
    """Listen to an input until it goes away.

    Args:
        send: takes the blocks.
        selector: which input; see `stream.device.inputs.resolve`.
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
        for captured in _captured(stream, quiet_s):
            for block in ledger.blocks(captured):
                send(block)
    raise AssertionError("listening ends with an error only")


def _captured(stream: Stream, quiet_s: float) -> Iterator[Captured]:
    newest_s = time.monotonic()
    while time.monotonic() - newest_s < quiet_s:
        captured = stream.take(POLL_S)
        if captured is not None:
            yield captured
            newest_s = time.monotonic()
    raise SourceError(f"{stream.input.name} has delivered nothing for {quiet_s:.0f} s; see whether it is connected")
