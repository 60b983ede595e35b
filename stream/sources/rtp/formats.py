"""What the payload of each payload type holds."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from whoplays.models.errors import SourceError
from whoplays.stream.audio.intake import MOST_CHANNELS
from whoplays.stream.audio.pcm import NetworkEncoding
from whoplays.stream.audio.resample import RATES_HZ

WIDTHS_BITS: Final = (16, 24)
PAYLOAD_TYPES: Final = range(128)
RTCP_TYPES: Final = range(72, 77)
"""What RTCP packets look like when they come to the same port (RFC 5761)."""


class Format(NamedTuple):
    """Linear PCM, big endian, its channels interleaved: L16 (RFC 3551) or L24 (RFC 3190)."""

    rate_hz: int = 44_100
    channels: int = 2
    bits: int = 16

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.bits // 8 * self.channels

    @property
    def encoding(self) -> NetworkEncoding:
        """Of the samples."""
        return "s16be" if self.bits == 16 else "s24be"


Formats = Mapping[int, Format]
"""By payload type; of any other type nothing is heard."""

STATIC: Final[Formats] = {10: Format(channels=2), 11: Format(channels=1)}
"""The types that RFC 3551 gives a meaning."""


def checked(form: Format) -> Format:
    """A format, if audio can have it.

    Raises:
        SourceError: it cannot.
    """
    if form.rate_hz not in RATES_HZ:
        lowest, highest = RATES_HZ[0], RATES_HZ[-1]
        raise SourceError(f"RTP cannot be heard at {form.rate_hz} Hz; give a rate from {lowest} to {highest}")
    if not 1 <= form.channels <= MOST_CHANNELS:
        raise SourceError(f"RTP of {form.channels} channels cannot be heard; give 1 to {MOST_CHANNELS}")
    if form.bits not in WIDTHS_BITS:
        raise SourceError(f"RTP of {form.bits} bits cannot be heard; give {' or '.join(map(str, WIDTHS_BITS))}")
    return form


def for_every_type(form: Format) -> Formats:
    """One format whatever the payload type, for a sender that says nothing of its own."""
    return dict.fromkeys((number for number in PAYLOAD_TYPES if number not in RTCP_TYPES), checked(form))
