"""The address of a sound input, taken apart."""

from typing import NamedTuple

import msgspec

from whoplays.stream.audio.intake import Intake, read_channels
from whoplays.stream.audio.resample import RATES_HZ
from whoplays.stream.common.uri import take_apart
from whoplays.stream.sources.device.names import SCHEME


class Wish(NamedTuple):
    """What is to be listened to, and how."""

    selector: str
    """Which input; see `whoplays.stream.sources.device.names.resolve`."""
    intake: Intake
    rate_hz: int | None
    """At which rate it is opened; its own unless given."""


def read_address(uri: str, intake: Intake) -> Wish:
    """What an address such as `device:ALSA:Scarlett?channels=3,4&rate=48000` asks for.

    Args:
        uri: the address. A `?`, `#` or `%` in a name is percent-encoded.
        intake: what is taken of it, where the address does not say.

    Raises:
        SourceError: an option is unknown or makes no sense.
        OptionError: the channels make no sense.
    """
    selector, _, query = uri.partition(":")[2].partition("?")
    address = take_apart(f"{SCHEME}:?{query}", frozenset({"rate", "channels"}))
    if "channels" in address.options:
        intake = msgspec.structs.replace(intake, channels=read_channels(address.options["channels"]))
    return Wish(selector, intake, address.number("rate", RATES_HZ, 0) or None)
