"""Sound inputs and their names: `device:`, `device:NAME`, `device:HOSTAPI:NAME`."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

import msgspec

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import RATES_HZ, ChannelSelection, read_channels
from whoplays.stream.common.uri import parse_uri

SCHEME: Final = "device"
MOST_SHOWN: Final = 10
NONE: Final = "there is no sound input; connect one"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A device that can be listened to."""

    hostapi: str
    """The system's sound interface through which it is reached, such as `ALSA`."""
    name: str
    """What that calls it; it stays the same when other devices come and go."""
    channels: int
    """The most that it has."""
    rate_hz: int
    """Its own."""
    default: bool
    """Whether it is what the system listens to unless told otherwise."""


def selector_of(each: Input) -> str:
    """The address of an input, without the scheme.

    >>> selector_of(Input(hostapi="ALSA", name="HDA Intel: ALC (hw:0,0)", channels=2, rate_hz=48000, default=False))
    'ALSA:HDA Intel: ALC (hw:0,0)'
    """
    return f"{_escape(each.hostapi).replace(':', '%3A')}:{_escape(each.name)}"


def uri_of(each: Input) -> str:
    """The address of an input, which stands for it and for no other."""
    return f"{SCHEME}:{selector_of(each)}"


def resolve(selector: str, inputs: Sequence[Input]) -> Input:
    """The input that is meant.

    A name can hold colons: what comes before the first is a host API only if it is the name of one. An exact name
    wins; otherwise any part of it will do, in upper or lower case, that only one input has.

    Args:
        selector: an address without the scheme; empty for the system's default input.
        inputs: all that there are.

    Raises:
        SourceError: none matches, or several do.
    """
    if not inputs:
        raise SourceError(f"{NONE}, and list them with: whoplays devices")
    found = _matches(selector, inputs) if selector else [each for each in inputs if each.default]
    if len(found) == 1:
        return found[0]
    if not selector:
        raise SourceError(f"the system has no default sound input; give one of: {_listed(inputs)}")
    if found:
        raise SourceError(f"several sound inputs match {unquote(selector)!r}; give one of: {_listed(found)}")
    raise SourceError(f"no sound input is called {unquote(selector)!r}; give one of: {_listed(inputs)}")


def _matches(selector: str, inputs: Sequence[Input]) -> list[Input]:
    scope, name = _scope(selector, inputs)
    exact = [each for each in scope if each.name == name]
    return exact or [each for each in scope if name.casefold() in each.name.casefold()]


def _scope(selector: str, inputs: Sequence[Input]) -> tuple[Sequence[Input], str]:
    """The inputs of the host API that is named, or all of them; and the name among them."""
    before, colon, after = selector.partition(":")
    within = [each for each in inputs if each.hostapi.casefold() == unquote(before).casefold()]
    return (within, unquote(after)) if colon and within else (inputs, unquote(selector))


def _listed(inputs: Sequence[Input]) -> str:
    shown = ", ".join(map(uri_of, inputs[:MOST_SHOWN]))
    more = len(inputs) - MOST_SHOWN
    return f"{shown} and {more} more, which whoplays devices lists" if more > 0 else shown


def _escape(text: str) -> str:
    """What would end a name, or cannot be seen, percent-encoded; the rest stays as people know it."""
    return re.sub(r"[%?#\x00-\x1f\x7f]", lambda found: quote(found[0]), text)


class DeviceRequest(NamedTuple):
    """What is to be listened to, and how."""

    selector: str
    """Which input; see `whoplays.stream.sources.device.names.resolve`."""
    selection: ChannelSelection
    rate_hz: int | None
    """At which rate it is opened; its own unless given."""


def check_address(uri: str, selection: ChannelSelection) -> None:
    """Refuse an address with an option that cannot be used; see `read_address`."""
    read_address(uri, selection)


def read_address(uri: str, selection: ChannelSelection) -> DeviceRequest:
    """What an address such as `device:ALSA:Scarlett?channels=3,4&rate=48000` asks for.

    Args:
        uri: the address. A `?`, `#` or `%` in a name is percent-encoded.
        selection: what is taken of it, where the address does not say.

    Raises:
        SourceError: an option is unknown or makes no sense.
        OptionError: the channels make no sense.
    """
    selector, _, query = uri.partition(":")[2].partition("?")
    address = parse_uri(f"{SCHEME}:?{query}", frozenset({"rate", "channels"}))
    if "channels" in address.options:
        selection = msgspec.structs.replace(selection, channels=read_channels(address.options["channels"]))
    return DeviceRequest(selector, selection, address.number("rate", RATES_HZ, 0) or None)
