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
from whoplays.stream.common.terminal import ignore_broken_pipe, note, printable
from whoplays.stream.sources.device.names import NO_INPUT, DeviceRequest, Input
from whoplays.stream.sources.device.probe import list_inputs, probe_input

METER_S: Final = 1.0


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
    *, json: Annotated[bool, Parameter(negative=())] = False, meter: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """List the sound inputs, and the address that stands for each as a source.

    Args:
        json: Print them as JSON, one a line.
        meter: Capture from each for a second, and show its level.
    """
    inputs = list_inputs(note)
    if not inputs:
        raise SourceError(NO_INPUT)
    rows = (_row(each, meter=meter) for each in inputs)
    with ignore_broken_pipe():
        if json:
            for row in rows:
                print(msgspec.json.encode(row).decode(), flush=True)
        else:
            _show(rows)


def _row(each: Input, *, meter: bool) -> InputRow:
    level = _level(each) if meter else msgspec.UNSET
    return InputRow(**msgspec.structs.asdict(each), uri=each.uri, level=level)


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
