"""The address of a sound input, taken apart."""

from typing import NamedTuple

import msgspec

from models.errors import SourceError
from stream.convert import RATES_HZ
from stream.device.inputs import SCHEME
from stream.intake import Intake
from stream.uris import take_apart


class Wish(NamedTuple):
    """What is to be listened to, and how."""

    selector: str
    """Which input; see `stream.device.inputs.resolve`."""
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
    options = take_apart(f"{SCHEME}:?{query}", frozenset({"rate", "channels"})).options
    if "channels" in options:
        intake = msgspec.structs.replace(intake, channels=_channels(options["channels"]))
    return Wish(selector, intake, _rate_hz(options["rate"]) if "rate" in options else None)


def _channels(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError as error:
        raise SourceError(f"channels={text} makes no sense; give one or two, as in channels=3,4") from error


def _rate_hz(text: str) -> int:
    if text.isdecimal() and int(text) in RATES_HZ:
        return int(text)
    raise SourceError(f"rate={text} makes no sense; give a rate from {RATES_HZ[0]} to {RATES_HZ[-1]} Hz")
