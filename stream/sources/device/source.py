"""A sound device as a source."""

from typing import Final

from whoplays.stream.audio.resample import Intake
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.device.names import SCHEME, Input, Wish, read_address, selector_of
from whoplays.stream.sources.device.probe import hear
from whoplays.stream.sources.worker import ChildSource

PROBE_S: Final = 0.7


def open_device(uri: str, intake: Intake) -> Source:
    """Open a sound input: `device:`, `device:NAME` or `device:HOSTAPI:NAME`, with `?channels=3,4` and `?rate=48000`.

    It is listened to for a moment at once: to find out its full name, so that it stays the same one when others come;
    whether it can be opened; and whether its clock is sane, because a source says so of itself for good.

    Args:
        uri: the address.
        intake: which channels are taken, where the address does not say; and how loud.

    Raises:
        SourceError: there is no such input, it cannot be opened, or an option makes no sense.
        OptionError: the channels make no sense.
    """
    wish = read_address(uri, intake)
    heard = hear(wish, PROBE_S)
    # The default input stays what the system says it is; any other is pinned.
    selector = selector_of(heard.input) if wish.selector else ""
    arguments = {
        "selector": selector,
        "channels": list(wish.intake.channels),
        "gain_db": wish.intake.gain_db,
        "rate_hz": wish.rate_hz,
    }
    return ChildSource(
        "stream.sources.device.capture:capture",
        arguments,
        name=_name(heard.input, wish),
        uri=f"{SCHEME}:{selector}{_query(wish)}",
        clock="adc" if heard.adc else "arrival",
        outage="device_lost",
    )


def _name(found: Input, wish: Wish) -> str:
    return found.name if wish.selector or found.name == "default" else f"{found.name} (default)"


def _query(wish: Wish) -> str:
    channels = [f"channels={','.join(map(str, wish.intake.channels))}"] if wish.intake.channels else []
    rate = [f"rate={wish.rate_hz}"] if wish.rate_hz else []
    return "?" + "&".join(channels + rate) if channels or rate else ""
