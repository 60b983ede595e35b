"""`whoplays devices`: which sound inputs there are."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
import numpy as np
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from whoplays.models.errors import SourceError, require_between
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.audio.block import Audio
from whoplays.stream.audio.level import measure
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.terminal import ignore_broken_pipe, note, printable
from whoplays.stream.sources.device.names import NO_INPUT, DeviceRequest, Input
from whoplays.stream.sources.device.probe import list_inputs, probe_input
from whoplays.stream.sources.pulse import PulseInput, list_pulse_inputs
from whoplays.stream.sources.registry import open_uri
from whoplays.stream.sources.rtp.sap import Announcement, AnnouncementTable, announcements

METER_S: Final = 1.0
MOST_LISTENED_S: Final = 600


class InputLevel(msgspec.Struct, frozen=True, kw_only=True):
    """How loud an input is now."""

    dbfs: float | None
    """RMS level of its first two channels, relative to full scale; None if nothing came."""
    note: str = ""
    """`silent` if every sample was zero, or why nothing came."""


class InputRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of an input."""

    hostapi: str
    name: str
    channels: int
    rate_hz: int
    default: bool
    uri: str
    level: InputLevel | msgspec.UnsetType = msgspec.UNSET


def devices(
    *,
    json: Annotated[bool, Parameter(negative=())] = False,
    meter: Annotated[bool, Parameter(negative=())] = False,
    announced: float = 1.0,
) -> None:
    """List the sound inputs and the announced RTP streams, and the address that stands for each as a source.

    Args:
        json: Print them as JSON, one a line.
        meter: Capture from each for a second, and show its level.
        announced: Seconds to listen for streams that AES67, Dante or RAVENNA devices announce; some do twice a minute.
    """
    require_between("announced", announced, 0, MOST_LISTENED_S, "s")
    heard = _announcements() if announced else None
    end_s = time.monotonic() + announced
    inputs, of_server = list_inputs(note), _pulse_inputs()
    time.sleep(max(0.0, end_s - time.monotonic()))
    streams = heard.all() if heard else ()
    if not (inputs or of_server or streams):
        raise SourceError(NO_INPUT)
    rows = chain(
        (_row(each, meter=meter) for each in inputs),
        (_pulse_row(each, meter=meter) for each in of_server),
        (_announced_row(each, meter=meter) for each in streams),
    )
    with ignore_broken_pipe():
        if json:
            for row in rows:
                print(msgspec.json.encode(row).decode(), flush=True)
        else:
            _show(rows)


def _row(each: Input, *, meter: bool) -> InputRow:
    level = _level(each) if meter else msgspec.UNSET
    return InputRow(**msgspec.structs.asdict(each), uri=each.uri, level=level)


def _pulse_inputs() -> tuple[PulseInput, ...]:
    """The sources of the sound server; none if there is no server."""
    try:
        return list_pulse_inputs()
    except SourceError:
        return ()


def _pulse_row(each: PulseInput, *, meter: bool) -> InputRow:
    level = _captured_level(each.uri) if meter else msgspec.UNSET
    return InputRow(
        hostapi="PulseAudio",
        name=each.description,
        channels=each.channels,
        rate_hz=each.rate_hz,
        default=False,  # the server's own is what `pulse:` alone means, not `device:`
        uri=each.uri,
        level=level,
    )


def _announcements() -> AnnouncementTable | None:
    """What is announced from now on; nothing if that cannot be listened for."""
    try:
        return announcements()
    except SourceError as error:
        note(str(error))
        return None


def _announced_row(each: Announcement, *, meter: bool) -> InputRow:
    uri = f"rtp://?sap={quote(each.name)}"
    form = max(each.description.formats.values(), key=lambda form: form.channels)
    level = _captured_level(uri) if meter else msgspec.UNSET
    return InputRow(
        hostapi=f"SAP {each.origin}",
        name=each.name,
        channels=form.channels,
        rate_hz=form.rate_hz,
        default=False,
        uri=uri,
        level=level,
    )


def _captured_level(uri: str) -> InputLevel:
    pieces: list[Audio] = []
    try:
        source = open_uri(uri)
        # Where nothing comes, nothing but this ends it.
        timer = threading.Timer(2 * METER_S, source.stop)
        timer.start()
        with closing(source.blocks()) as blocks:  # type: ignore[type-var]  # it is a generator
            for block in blocks:
                pieces.append(block.audio)
                if sum(piece.shape[1] for piece in pieces) >= METER_S * SAMPLE_RATE_HZ:
                    break
        timer.cancel()
    except SourceError as error:
        return InputLevel(dbfs=None, note=str(error))
    if not pieces:
        return InputLevel(dbfs=None, note="nothing arrives")
    audio = np.concatenate(pieces, axis=1)
    return InputLevel(dbfs=measure(audio).dbfs, note="" if audio.any() else "silent")


def _level(each: Input) -> InputLevel:
    try:
        probed = probe_input(DeviceRequest(each.selector, ChannelSelection()), METER_S)
    except SourceError as error:
        return InputLevel(dbfs=None, note=str(error))
    if probed.dbfs is None:
        return InputLevel(dbfs=None, note="nothing arrives")
    return InputLevel(dbfs=probed.dbfs, note="silent" if probed.silent else "")


def _show(rows: Iterable[InputRow]) -> None:
    console = Console(markup=False)
    with console.status("measuring the level of each"):
        cells = [list(_cells(row)) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("", "host API", "name", "channels", "rate", "address", "level")
    for heading, _ in zip(headings, cells[0], strict=False):
        table.add_column(heading, overflow="fold")
    for each in cells:
        # As text: what looks like markup in a name is part of it.
        table.add_row(*(Text(printable(cell)) for cell in each))
    console.print(table)
    console.print("\n* is the default, which device: alone means", highlight=False)


def _cells(row: InputRow) -> Iterator[str]:
    yield "*" if row.default else ""
    yield from (row.hostapi, row.name, str(row.channels), f"{row.rate_hz} Hz", row.uri)
    if isinstance(row.level, InputLevel):
        yield row.level.note or f"{row.level.dbfs:.1f} dBFS"
