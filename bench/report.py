"""The page of results: made from result files, never by hand."""

from collections.abc import Iterator, Sequence
from typing import Final

from whoplays.bench.results import Result
from whoplays.bench.tables import Grid, describe, lay_out

HEAD: Final = """\
# Benchmarks

How late, how fast and how faithfully results come. This page is generated from the files in `bench/measured`; the last
command makes this page, each of the others such a file:

    whoplays bench latency --json bench/measured/latency.json
    whoplays bench throughput --json bench/measured/throughput.json
    whoplays bench soak --json bench/measured/soak.json
    whoplays bench report bench/measured/*.json > docs/benchmarks.md

## What is measured

**Latency** is the time from the moment a window's last sample was due until another process has received the window's
message. Three processes take part: one sends noise as raw PCM in blocks of 10 ms, `whoplays listen -` recognises and
publishes over TCP on this machine, and one subscribes. When each sample is due is decided before the first is sent, and
nothing that happens later moves it (an open loop); so a stall counts against every window that it delays. A window that
was not received within ten seconds after the last was due is lost: it is counted, and is in no percentile.

The latency itself is taken from one clock, the monotonic one: the sender decides by it when a sample is due, and the
subscriber notes by it when a message came. The moments between are also taken from it, but travel in the message as
wall time: the listener converts them, and the subscriber converts them back. If the wall clock is adjusted in between,
time moves from `hear` to `publish` or back; the latency stays as it is. The stages of a window add up to its latency;
their percentiles do not:

| stage | from | to |
|---|---|---|
| send | its last sample is due | its last block begins to be written: late if the sender is, or if the pipe is full |
| hear | then | it is taken, complete, from the ring |
| queue | then | its inference begins |
| infer | then | its inference has ended |
| publish | then | the subscriber has read its message |

**Throughput** is the number of windows that the recogniser judges in a second, by windows inferred together (batch) and
threads within one operation, without anything around it. Each result must equal that of one window at a time on one
thread, or the command fails. The cells take turns in rounds, so that whatever else the machine does falls on all alike.
A peer, another's tagger, takes its turns in the same rounds, one window at a time on one thread; it is spared
resampling, and what is left of a window beyond whole frames of its own.

**Soak** runs `whoplays serve` with many streams, each fed over RTP on this machine by a sender that may withhold
packets, as if the network lost them (`--loss`). A subscriber keeps the account of every stream, and holds it against
each status:

- Windows and gaps tile every stream, without a hole.
- Samples heard and samples lost are the samples elapsed; the lost ones are those in the gaps, the windows and gaps are
  as many as were published, and windows that were dropped, because inference could not keep up, are in gaps too.
- No message is lost, no session begins anew, and each stream ends with exactly as many samples as were sent to it.
- No stream is ever further off the sender's schedule, and no window judged later, than the table allows.
- The memory and the open files of the daemon and its children do not grow: looked at once a second, the median of the
  last third of the run is not above that of the second third by more than the table allows. For two minutes rings and
  clocks fill, and what piles up in a stall takes its room once, so this tells more the longer the run; one of less than
  a minute is too short to tell.

A machine that is busy with other things measures those as well: see the load before each measurement.
"""
NOTHING: Final = "\n## Results\n\nNothing has been measured yet.\n"


def page(results: Sequence[Result]) -> str:
    """The page in Markdown that shows results, in their order."""
    return HEAD + ("".join(map(_section, results)) or NOTHING)


def _section(result: Result) -> str:
    grid = lay_out(result)
    table = "\n".join(_lines(grid))
    return f"\n## {grid.title}\n\n    {result.command}\n\n{table}\n\n{grid.caption}\n\n{describe(result.conditions)}\n"


def _lines(grid: Grid) -> Iterator[str]:
    yield _line(grid.headings)
    yield _line(("---", *("---:" for _ in grid.headings[1:])))
    yield from map(_line, grid.rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
