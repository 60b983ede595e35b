import numpy as np
import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.sources.device.adc_clock import AdcClock
from whoplays.stream.sources.device.capture import Captured, CaptureQueue
from whoplays.stream.sources.device.names import Input
from whoplays.stream.sources.device.portaudio import Stream
from whoplays.stream.sources.device.source import POLL_S, follow

MIC = Input(hostapi="ALSA", name="Mic", channels=2, rate_hz=44_100, default=True)


class Scripted(Stream):
    """An input of which it is known when it delivers something."""

    script: list[bool]

    def take(self, timeout_s: float) -> Captured | None:
        assert timeout_s == POLL_S
        return Captured(np.zeros((1, 2), np.float32), 0, False, 0) if self.script.pop(0) else None


def scripted(*script: bool) -> Scripted:
    stream = Scripted(MIC, 44_100, 2, AdcClock(44_100), CaptureQueue(1), None)
    stream.script = list(script)
    return stream


def test_an_input_is_given_up_only_after_it_was_quiet_for_long_at_a_stretch() -> None:
    captured = follow(scripted(True, False, False, True, False, False, False, True), quiet_s=3 * POLL_S)
    assert next(captured)
    assert next(captured)
    with pytest.raises(SourceError, match="Mic has delivered nothing for 1 s; see whether it is connected"):
        next(captured)
