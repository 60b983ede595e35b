"""PortAudio, as we use it. Its list of devices is that of when it was loaded, so only children load it."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType
from typing import Any, Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.capture import Callback, Captured, CaptureQueue
from whoplays.stream.sources.device.names import DeviceRequest, Input, check_channels, resolve

LATENCY_S: Final = 0.2
"""What the system is asked to buffer: enough for a busy machine, and nothing beside a window of seconds."""
QUEUE_S: Final = 5
CLOSE_S: Final = 1.0


class InputStream(NamedTuple):
    """An input that is open."""

    input: Input
    rate_hz: int
    channels: int
    clock: AdcClock
    queue: CaptureQueue
    native: Any
    """sounddevice's."""

    def take(self, timeout_s: float) -> Captured | None:
        """What was captured next; None if nothing was in that time.

        Raises:
            SourceError: nothing follows, because the device is gone.
        """
        captured = self.queue.take(timeout_s)
        if captured is None:
            with _refusals(self.input):
                active = self.native.active
            if not active:
                raise SourceError(f"{self.input.name} was disconnected; connect it again")
        return captured


def inputs() -> dict[int, Input]:
    """Every input there was when PortAudio was loaded, by PortAudio's number for it.

    Raises:
        SourceError: PortAudio is not installed.
    """
    sounddevice = _load()
    default = None
    with suppress(sounddevice.PortAudioError):
        default = sounddevice.query_devices(kind="input")["index"]
    hostapis = [each["name"] for each in sounddevice.query_hostapis()]
    return {
        each["index"]: Input(
            hostapi=hostapis[each["hostapi"]],
            name=each["name"],
            channels=each["max_input_channels"],
            rate_hz=round(each["default_samplerate"]),
            default=each["index"] == default,
        )
        for each in sounddevice.query_devices()
        if each["max_input_channels"] > 0
    }


@contextmanager
def open_input(request: DeviceRequest) -> Iterator[InputStream]:
    """Capture from an input.

    Raises:
        SourceError: there is no such input, it has no such channel, or it cannot be opened.
    """
    known = inputs()
    found = resolve(request.selector, list(known.values()))
    index = next(index for index, each in known.items() if each == found)
    stream = _open(index, found, request)
    try:
        with _refusals(found):
            stream.native.start()
        yield stream
    finally:
        _close(stream.native)


def _open(index: int, found: Input, request: DeviceRequest) -> InputStream:
    needed = check_channels(request, found)
    sounddevice = _load()
    with _refusals(found):
        try:
            # Sound servers claim dozens of channels, so no more are opened than are needed.
            return _open_channels(index, found, request, needed)
        except sounddevice.PortAudioError:
            # Some devices give all of them or none.
            with suppress(sounddevice.PortAudioError):
                return _open_channels(index, found, request, found.channels)
            raise


def _open_channels(index: int, found: Input, request: DeviceRequest, channels: int) -> InputStream:
    rate_hz = request.rate_hz or found.rate_hz
    clock, queue = AdcClock(rate_hz), CaptureQueue(QUEUE_S * rate_hz)
    native = _load().InputStream(
        device=index,
        channels=channels,
        samplerate=rate_hz,
        dtype="float32",
        latency=LATENCY_S,
        callback=Callback(clock, queue),
    )
    return InputStream(found, rate_hz, channels, clock, queue, native)


@contextmanager
def _refusals(found: Input) -> Iterator[None]:
    try:
        yield
    except _load().PortAudioError as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{found.name} cannot be opened: {reason}; see what it offers: whoplays devices") from error


def _close(native: Any) -> None:
    """Close a stream, but wait for a second at most: without audio, some drivers never come back from it.

    A thread that does not come back also keeps the stream in memory, to which its driver still writes.
    """
    closing = threading.Thread(target=native.close, name="whoplays-close", daemon=True)
    closing.start()
    closing.join(CLOSE_S)


def settings_warning() -> str:
    """What is wrong with the user's sound settings, in one line; empty if nothing is known to be.

    Raises:
        SourceError: PortAudio is not installed, or cannot be used.
    """
    return _import()[1]


def _load() -> ModuleType:
    return _import()[0]


@cache
def _import() -> tuple[ModuleType, str]:
    """PortAudio; without the user's own settings if they keep it from being used, and what is wrong with them then."""
    try:
        return _import_module(), ""
    except SourceError as error:
        with _no_home():
            return _import_module(), f"the sound settings in ~/.asoundrc cannot be used, and are left out: {error}"


def _import_module() -> ModuleType:
    try:
        import sounddevice  # noqa: PLC0415  it loads PortAudio, which may be missing
    except OSError as error:
        raise SourceError("PortAudio not found; install libportaudio2") from error
    except Exception as error:  # of a type in the module that could not be imported
        raise SourceError(" ".join(str(error).split())) from error
    module: ModuleType = sounddevice
    name_of = module._ffi_string
    # It decodes names as UTF-8: a single one that is not would make every device unusable.
    module._ffi_string = lambda pointer: name_of(pointer).decode(errors="replace").encode()  # type: ignore[attr-defined]
    return module


@contextmanager
def _no_home() -> Iterator[None]:
    """A time in which no settings of the user are found; sound servers need the home folder later."""
    home = os.environ.pop("HOME", None)
    os.environ["HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["HOME"]
        if home is not None:
            os.environ["HOME"] = home
