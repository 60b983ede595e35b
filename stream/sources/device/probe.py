"""Asking the sound system, in a child process, which inputs there are now, and how loud one of them is."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
import numpy as np

from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import measure
from whoplays.stream.audio.resample import ChannelSelection, Converter
from whoplays.stream.sources.device.names import DeviceRequest, Input, check_channels, read_address, resolve
from whoplays.stream.sources.device.portaudio import InputStream, inputs, open_input, settings_warning
from whoplays.stream.sources.worker import Send, call_in_child

TIMEOUT_S: Final = 20.0


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came from an input within a moment."""

    input: Input
    dbfs: float | None
    """RMS level of the channels that are taken; None if no audio came."""
    silent: bool
    """Whether every sample was zero."""
    adc: bool
    """Whether the converter's clock was sane."""
    warning: str = ""
    """What is wrong with the user's sound settings."""


class InputList(msgspec.Struct, frozen=True, kw_only=True):
    """Every input that there is now."""

    inputs: tuple[Input, ...]
    warning: str = ""
    """What is wrong with the user's sound settings."""


def list_inputs(on_warning: Callable[[str], None] = lambda _: None) -> tuple[Input, ...]:
    """The inputs that there are now.

    Args:
        on_warning: is called with what is wrong with the user's sound settings, if anything is.

    Raises:
        SourceError: PortAudio is not installed, or does not answer.
    """
    found = msgspec.convert(_call("find_inputs", {}, 0.0), InputList)
    if found.warning:
        on_warning(found.warning)
    return found.inputs


def look_up(uri: str, selection: ChannelSelection) -> None:
    """Look whether there is an input of that address now, with its channels.

    Raises:
        SourceError: there is none, or the sound system does not answer.
    """
    request = read_address(uri, selection)
    found = resolve(request.selector, list_inputs())
    check_channels(request, found)


def probe_input(request: DeviceRequest, duration_s: float) -> ProbeResult:
    """Capture from an input for a moment, from when audio comes; that is waited for twice as long.

    Raises:
        SourceError: there is no such input, or it cannot be opened.
    """
    arguments = {"request": msgspec.to_builtins(request), "duration_s": duration_s}
    return msgspec.convert(_call("capture_moment", arguments, duration_s), ProbeResult)


def _call(function: str, arguments: dict[str, Any], duration_s: float) -> Any:
    timeout_s = TIMEOUT_S + 3 * duration_s
    return call_in_child(f"{__name__}:{function}", arguments, name="the sound system", timeout_s=timeout_s)


def find_inputs(_send: Send) -> InputList:
    """What `list_inputs` has a child do."""
    return InputList(inputs=tuple(inputs().values()), warning=settings_warning())


def capture_moment(_send: Send, request: dict[str, Any], duration_s: float) -> ProbeResult:
    """What `probe_input` has a child do."""
    wanted = msgspec.convert(request, DeviceRequest)
    with open_input(wanted) as stream:
        converter = Converter(stream.rate_hz, stream.channels, wanted.selection)
        pieces = [converter.convert(frames) for frames in _frames(stream, duration_s)]
        audio = np.concatenate([np.empty((converter.channels, 0), np.float32), *pieces], axis=1)
        return ProbeResult(
            input=stream.input,
            dbfs=measure(audio).dbfs if audio.size else None,
            silent=not audio.any(),
            adc=stream.clock.proven,
            warning=settings_warning(),
        )


def _frames(stream: InputStream, duration_s: float) -> Iterator[Audio]:
    captured = stream.take(2 * duration_s)
    end_s = time.monotonic() + duration_s
    while captured is not None:
        yield captured.frames
        left_s = end_s - time.monotonic()
        captured = stream.take(left_s) if left_s > 0 else None
