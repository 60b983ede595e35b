"""What a server sends that is no audio: a playlist, of which the first address is played, a web page, or nothing."""

import re
from typing import Final
from urllib.parse import urljoin

BODY_BYTES: Final = 4096
"""How much of it is looked at."""
MOST_PLAYLISTS: Final = 3
"""How many playlists may lead from one to the next."""
_ADDRESS: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_PLS_ENTRY: Final = re.compile(r"file\d+\s*=\s*(\S+)", re.IGNORECASE)
_PAGE: Final = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)


def first_address(body: bytes, base: str) -> str | None:
    """The first address of http or https in a playlist (M3U or PLS); None if it is none.

    Args:
        body: how it begins.
        base: its own address, to which that may be relative.
    """
    lines = [line.strip() for line in body.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
    if lines and lines[0].lower() == "[playlist]":
        entries = [found[1] for line in lines if (found := _PLS_ENTRY.fullmatch(line))]
    elif lines and (lines[0].startswith("#EXTM3U") or _ADDRESS.fullmatch(lines[0])):
        entries = [line for line in lines if not line.startswith("#")]
    else:
        entries = []
    addresses = (urljoin(base, entry) for entry in entries)
    return next((address for address in addresses if _ADDRESS.fullmatch(address)), None)


def describe(body: bytes) -> str:
    """What came instead of audio, as messages say it."""
    if not body:
        return "it sends nothing: its body is empty"
    if _PAGE.match(body):
        return "it sends a web page (HTML), not audio; give the address of the stream itself"
    return "it is not audio that FFmpeg can read"
