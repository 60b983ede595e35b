"""`whoplays devices`: which sound inputs there are."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from whoplays.models.errors import SourceError
from whoplays.stream.audio.resample import ChannelSelection
from whoplays.stream.common.terminal import reader_may_leave
from whoplays.stream.sources.device.names import NONE, DeviceRequest, Input, selector_of, uri_of
from whoplays.stream.sources.device.probe import hear, list_inputs

METER_S: Final = 1.0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What an input hears just now."""

    dbfs: float | None
    """RMS level of its first two channels, relative to full scale; None if nothing came."""
    note: str = ""
    """`silent` if every sample was zero, or why nothing came."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of an input."""

    hostapi: str
    name: str
    channels: int
    rate_hz: int
    default: bool
    uri: str
    level: Reading | msgspec.UnsetType = msgspec.UNSET


def devices(
    *, json: Annotated[bool, Parameter(negative=())] = False, meter: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """List the sound inputs, and the address under which each can be listened to.

    Args:
        json: Print them as JSON, one a line.
        meter: Listen to each for a second, and show its level.
    """
    inputs = list_inputs()
    if not inputs:
        raise SourceError(NONE)
    rows = (_row(each, meter=meter) for each in inputs)
    with reader_may_leave():
        if json:
            for row in rows:
                print(msgspec.json.encode(row).decode(), flush=True)
        else:
            _show(rows)


def _row(each: Input, *, meter: bool) -> Row:
    level = _reading(each) if meter else msgspec.UNSET
    return Row(**msgspec.structs.asdict(each), uri=uri_of(each), level=level)


def _reading(each: Input) -> Reading:
    try:
        heard = hear(DeviceRequest(selector_of(each), ChannelSelection(), None), METER_S)
    except SourceError as error:
        return Reading(dbfs=None, note=str(error))
    if heard.dbfs is None:
        return Reading(dbfs=None, note="nothing arrives")
    return Reading(dbfs=heard.dbfs, note="silent" if heard.silent else "")


def _show(rows: Iterable[Row]) -> None:
    console = Console(markup=False)
    with console.status("listening to each"):
        cells = [list(_cells(row)) for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("", "host API", "name", "channels", "rate", "address", "level")
    for heading, _ in zip(headings, cells[0], strict=False):
        table.add_column(heading, overflow="fold")
    for each in cells:
        # As text: what looks like markup in a name is part of it.
        table.add_row(*map(Text, each))
    console.print(table)
    console.print("\n* is the default, which device: alone means", highlight=False)


def _cells(row: Row) -> Iterator[str]:
    yield "*" if row.default else ""
    yield from (row.hostapi, row.name, str(row.channels), f"{row.rate_hz} Hz", row.uri)
    if isinstance(row.level, Reading):
        yield row.level.note or f"{row.level.dbfs:.1f} dBFS"
