"""A sound device as a source."""

from typing import Any, Final, NoReturn

import msgspec

from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.sources.base import Source
from whoplays.stream.sources.device.capture import QUIET_S, GapAwareCapture, until_quiet
from whoplays.stream.sources.device.names import SCHEME, DeviceRequest, check_channels, read_address
from whoplays.stream.sources.device.portaudio import open_input
from whoplays.stream.sources.device.probe import probe_input
from whoplays.stream.sources.pulse import refuse_remix
from whoplays.stream.sources.worker import ChildSource, Send

PROBE_S: Final = 0.7


def open_device(uri: str, selection: ChannelSelection) -> Source:
    """Open a sound input: `device:`, `device:NAME` or `device:HOSTAPI:NAME`, with `?channels=3,4` and `?rate=48000`.

    It is probed at once: to find out its full name, so that it stays the same one when others come; whether it can be
    opened; and whether its clock is sane, because a source says so of itself for good.

    Args:
        uri: the address.
        selection: which channels are taken, where the address does not say; and how loud.

    Raises:
        SourceError: there is no such input, it cannot be opened, or an option is unknown or out of range.
        OptionError: a channel is out of range.
    """
    request = read_address(uri, selection)
    probed = probe_input(request, PROBE_S)
    name = probed.input.name
    refuse_remix(name, check_channels(request, probed.input))
    if request.selector:
        request = msgspec.structs.replace(request, selector=probed.input.selector)
    elif name != "default":
        # Its address stays `device:`: whatever the system's default is when it is opened again.
        name = f"{name} (default)"
    source = ChildSource(
        f"{__name__}:capture",
        {"request": msgspec.to_builtins(request)},
        name=name,
        uri=f"{SCHEME}:{request.selector}{request.query}",
        clock="adc" if probed.adc else "arrival",
        disconnect_cause="device_lost",
    )
    source.warning = probed.warning
    return source


def capture(send: Send, request: dict[str, Any], quiet_s: float = QUIET_S) -> NoReturn:
    """Capture from an input until it is disconnected.

    Args:
        send: takes the blocks.
        request: a `DeviceRequest`, as JSON carries it.
        quiet_s: how long it may deliver nothing, not even silence, before it is taken to be gone.

    Raises:
        SourceError: there is no such input, it cannot be opened, or it was disconnected.
    """
    wanted = msgspec.convert(request, DeviceRequest)
    with open_input(wanted) as stream:
        gap_aware = GapAwareCapture(stream.rate_hz, stream.channels, wanted.selection)
        for captured in until_quiet(stream.take, stream.input.name, quiet_s):
            for block in gap_aware.blocks(captured):
                send(block)
    raise AssertionError("capturing ends with an error only")
