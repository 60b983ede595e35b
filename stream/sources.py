"""Every source there is, by what the user calls it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from models.errors import OptionError, SourceError
from stream.file_source import FileSource, Speed
from stream.pcm_source import PcmFormat, PcmSource
from stream.source import Source

CHOICES = "an audio file, or - for raw PCM on standard input"


def from_uri(uri: str, *, speed: Speed = "realtime", pcm: PcmFormat | None = None) -> Source:
    """Open a source.

    Args:
        uri: a file's path, `file://` and a path, or `-` for raw PCM on standard input.
        speed: how fast a file is played.
        pcm: how raw PCM is to be read.

    Raises:
        SourceError: there is no such source, or it cannot be listened to.
        OptionError: the speed is neither `realtime` nor `max`.
    """
    if speed not in ("realtime", "max"):
        raise OptionError(f"unknown speed {speed!r}; give realtime or max")
    if uri == "-":
        return PcmSource(pcm or PcmFormat())
    scheme, separator, _ = uri.partition("://")
    if not separator:
        return FileSource(Path(uri), speed)
    if scheme == "file":
        return FileSource(Path(unquote(urlsplit(uri).path)), speed)
    raise SourceError(f"cannot listen to {scheme}:// addresses; give {CHOICES}")
