"""A sound device as a source."""

from collections.abc import Iterator
from typing import Final, NoReturn

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.device.capture import Captured, GapAwareCapture
from whoplays.stream.sources.device.names import SCHEME, DeviceRequest, Input, read_address, selector_of
from whoplays.stream.sources.device.portaudio import Stream, listening
from whoplays.stream.sources.device.probe import hear
from whoplays.stream.sources.worker import ChildSource, Send

PROBE_S: Final = 0.7


def open_device(uri: str, selection: ChannelSelection) -> Source:
    """Open a sound input: `device:`, `device:NAME` or `device:HOSTAPI:NAME`, with `?channels=3,4` and `?rate=48000`.

    It is listened to for a moment at once: to find out its full name, so that it stays the same one when others come;
    whether it can be opened; and whether its clock is sane, because a source says so of itself for good.

    Args:
        uri: the address.
        selection: which channels are taken, where the address does not say; and how loud.

    Raises:
        SourceError: there is no such input, it cannot be opened, or an option makes no sense.
        OptionError: the channels make no sense.
    """
    wish = read_address(uri, selection)
    heard = hear(wish, PROBE_S)
    # The default input stays what the system says it is; any other is pinned.
    selector = selector_of(heard.input) if wish.selector else ""
    arguments = {
        "selector": selector,
        "channels": list(wish.selection.channels),
        "gain_db": wish.selection.gain_db,
        "rate_hz": wish.rate_hz,
    }
    return ChildSource(
        "whoplays.stream.sources.device.source:capture",
        arguments,
        name=_name(heard.input, wish),
        uri=f"{SCHEME}:{selector}{_query(wish)}",
        clock="adc" if heard.adc else "arrival",
        disconnect_cause="device_lost",
    )


def _name(found: Input, wish: DeviceRequest) -> str:
    return found.name if wish.selector or found.name == "default" else f"{found.name} (default)"


def _query(wish: DeviceRequest) -> str:
    channels = [f"channels={','.join(map(str, wish.selection.channels))}"] if wish.selection.channels else []
    rate = [f"rate={wish.rate_hz}"] if wish.rate_hz else []
    return "?" + "&".join(channels + rate) if channels or rate else ""


POLL_S: Final = 0.2
QUIET_S: Final = 5.0


def capture(
    send: Send, selector: str, channels: list[int], gain_db: float, rate_hz: int | None, quiet_s: float = QUIET_S
) -> NoReturn:
    """Listen to an input until it goes away.

    Args:
        send: takes the blocks.
        selector: which input; see `whoplays.stream.sources.device.names.resolve`.
        channels: which are taken; see `ChannelSelection`.
        gain_db: how loud.
        rate_hz: at which rate it is opened; its own if None.
        quiet_s: how long it may deliver nothing, not even silence, before it is taken to be gone.

    Raises:
        SourceError: there is no such input, it cannot be opened, or it went away.
    """
    selection = ChannelSelection(channels=tuple(channels), gain_db=gain_db)
    with listening(DeviceRequest(selector, selection, rate_hz)) as stream:
        ledger = GapAwareCapture(stream.rate_hz, stream.channels, selection)
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
