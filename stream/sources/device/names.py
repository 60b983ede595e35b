"""Sound inputs and their names: `device:`, `device:NAME`, `device:HOSTAPI:NAME`."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

import msgspec

from whoplays.models.errors import OptionError, SourceError
from whoplays.stream.audio.resample import RATES_HZ, ChannelSelection, read_channels
from whoplays.stream.common.uri import parse_uri

SCHEME: Final = "device"
MAX_LISTED: Final = 10
NO_INPUT: Final = "sound input not found; connect one"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A sound input of this machine."""

    hostapi: str
    """The system's sound interface through which it is reached, such as `ALSA`."""
    name: str
    """What that calls it; it stays the same when other devices come and go."""
    channels: int
    """The most that it has."""
    rate_hz: int
    """Its own."""
    default: bool
    """Whether it is the system's default input."""

    @property
    def selector(self) -> str:
        """Its address, without the scheme.

        >>> Input(hostapi="ALSA", name="HDA Intel: ALC (hw:0,0)", channels=2, rate_hz=48000, default=False).selector
        'ALSA:HDA Intel: ALC (hw:0,0)'
        """
        return f"{_escape(self.hostapi).replace(':', '%3A')}:{_escape(self.name)}"

    @property
    def uri(self) -> str:
        """Its address, which stands for no other input."""
        return f"{SCHEME}:{self.selector}"


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
        raise SourceError(f"{NO_INPUT}, and list them with: whoplays devices")
    found = _matches(selector, inputs) if selector else [each for each in inputs if each.default]
    if len(found) == 1:
        return found[0]
    if not selector:
        raise SourceError(f"default sound input not found; give one of: {_listed(inputs)}")
    name = repr(unquote(selector))
    if found:
        raise SourceError(f"sound input {name} is one of several; give one of: {_listed(found)}")
    raise SourceError(f"sound input {name} not found; there are: {_listed(inputs)}")


def _matches(selector: str, inputs: Sequence[Input]) -> list[Input]:
    before, colon, after = selector.partition(":")
    of_hostapi = [each for each in inputs if each.hostapi.casefold() == unquote(before).casefold()]
    scope, name = (of_hostapi, unquote(after)) if colon and of_hostapi else (inputs, unquote(selector))
    exact = [each for each in scope if each.name == name]
    return exact or [each for each in scope if name.casefold() in each.name.casefold()]


def _listed(inputs: Sequence[Input]) -> str:
    listed = ", ".join(each.uri for each in inputs[:MAX_LISTED])
    more = len(inputs) - MAX_LISTED
    return f"{listed} and {more} more, which whoplays devices lists" if more > 0 else listed


def _escape(text: str) -> str:
    """What would end a name, or cannot be seen, percent-encoded; the rest stays as people know it."""
    return re.sub(r"[%?#\x00-\x1f\x7f]", lambda found: quote(found[0]), text)


class DeviceRequest(msgspec.Struct, frozen=True):
    """Which input is opened, and how."""

    selector: str
    """Which input; see `resolve`."""
    selection: ChannelSelection
    rate_hz: int | None = None
    """At which rate; its own unless given."""

    @property
    def query(self) -> str:
        """What an address needs to ask for the same channels and rate."""
        channels, rate_hz = self.selection.channels, self.rate_hz
        options = {"channels": channels if channels == "all" else ",".join(map(str, channels)), "rate": rate_hz}
        given = [f"{name}={value}" for name, value in options.items() if value]
        return f"?{'&'.join(given)}" if given else ""


def check_channels(request: DeviceRequest, found: Input) -> int:
    """How many channels must be opened for those that are wanted.

    Raises:
        SourceError: the input has no such channel.
    """
    channels = request.selection.channels
    needed = found.channels if channels == "all" else max(channels, default=min(2, found.channels))
    if needed > found.channels:
        raise SourceError(f"channel must be between 1 and {found.channels} of {found.name}, got {needed}")
    return needed


def read_address(uri: str, selection: ChannelSelection) -> DeviceRequest:
    """What an address such as `device:ALSA:Scarlett?channels=3,4&rate=48000` asks for.

    Args:
        uri: the address. A `?`, `#` or `%` in a name is percent-encoded.
        selection: which channels are taken, where the address does not say; and how loud.

    Raises:
        SourceError: an option is unknown, or the rate is out of range.
        OptionError: a channel is out of range.
    """
    # A name that is not UTF-8 is known by the replacement characters that PortAudio's has too.
    uri = uri.encode(errors="surrogateescape").decode(errors="replace")
    selector, _, query = uri.partition(":")[2].partition("?")
    mistakes: list[str] = []
    address = parse_uri(f"{SCHEME}:?{query}", frozenset({"rate", "channels"}), mistakes)
    rate_hz = address.number("rate", RATES_HZ, 0, mistakes) or None
    if "channels" in address.options:
        try:
            selection = msgspec.structs.replace(selection, channels=read_channels(address.options["channels"]))
        except OptionError as error:
            raise OptionError("; ".join((str(error), *mistakes))) from error
    if mistakes:
        raise SourceError("; ".join(mistakes))
    return DeviceRequest(selector, selection, rate_hz)


def check_address(uri: str, selection: ChannelSelection) -> None:
    """Check the options of an address; see `read_address`."""
    read_address(uri, selection)
