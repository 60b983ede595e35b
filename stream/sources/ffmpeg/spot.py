"""What a child process is told of the media to play."""

import msgspec

from whoplays.stream.audio.intake import Intake


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """Where audio is, and what is taken of it."""

    url: str
    """As FFmpeg takes it; with its user and password, so for no eyes."""
    name: str
    """What people call it."""
    form: str | None = None
    """FFmpeg's name of its format; None to find out."""
    network: bool
    """Whether it comes from elsewhere as it is made; otherwise it is a file here."""
    intake: Intake
