"""docs/reliability.md: which faults there are, what a subscriber sees of each, and how long it takes."""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.stream.faults.times import Times

PAGE: Final = Path(__file__).parents[3] / "docs" / "reliability.md"
MODULES: Final = ("test_sources", "test_device", "test_daemon")
HEAD: Final = """\
# Reliability

What a subscriber sees when something goes wrong, and how long it takes until all is well again. This page is written by
the tests that prove it: they run daemons with real senders, servers and devices, do to them what the first column says,
and check every message that a subscriber receives. This runs them, and writes the page anew:

    python -m tests.stream.faults

## What is promised

**Nothing is lost silently.** The windows and `gap`s of a session leave no sample out, and in every `status` heard and
lost samples are all that elapsed. Only what does not fill a window at the end of a session is in none. When a source is
lost, its session ends; the time until the next one is a `gap` at the end of the old one. With each fault the tests
check all of this; between sessions a gap may be up to 1.5 s short, or some seconds long where the next session begins
with audio that was kept before it was asked for.

**No data is not digital silence, and neither is the end.** Audio below the silence gate is `silent`: it comes, and is
judged. When none comes for 2 s, the stream is `stalled`. After 10 s, or at once if the source says why, it is `lost`,
and opened again. Only `end` is the end. When the daemon itself says nothing for 3 s, `whoplays.Subscriber` tells so.

**What happens to one stream is its own business.** Many of the faults below happen at the same time, to streams of one
daemon.

What happens when a relay, its target or the page fails stands on the page about
[relays](relays.md#when-something-goes-wrong); none of it is seen by another subscriber.

## Faults

*Told* is how long after the fault a message, or a notice of the subscriber, tells of it. *Windows again* is how long
after the repair a window shows which instruments play; after the fault, where nobody has to repair anything. The first
window of a session needs 3 s of audio, and processes that are started need their time as well.

| fault | what the subscriber sees | told | windows again |
| --- | --- | ---: | ---: |
"""


class Row(NamedTuple):
    """A fault, as the test that proves it declares it."""

    test: str
    fault: str
    seen: str


def declared() -> list[Row]:
    """What the tests declare: the first paragraph of a test's docstring is the fault, the rest is what is seen."""
    modules = [importlib.import_module(f"tests.stream.faults.{name}") for name in MODULES]
    tests = [found for module in modules for name, found in vars(module).items() if name.startswith("test_")]
    return [_row(test.__name__, inspect.getdoc(test) or "") for test in tests]


def render(rows: Sequence[Row], measured: Mapping[str, Times], conditions: str) -> str:
    """The page.

    Args:
        rows: what the tests declare.
        measured: by the test's name.
        conditions: what it was measured on.
    """
    table = "\n".join(_line(row, measured[row.test]) for row in rows)
    return f"{HEAD}{table}\n\n{conditions}\n"


def shown(page: str) -> list[tuple[str, str]]:
    """The rows of a page: fault, and what is seen."""
    head, rule, *rows = re.findall(r"^\| (.+?) \| (.+?) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert head[0] == "fault"
    assert rule[0] == "---"
    return rows


def _row(test: str, text: str) -> Row:
    fault, _, seen = text.partition("\n\n")
    return Row(test, *(" ".join(part.split()) for part in (fault, seen)))


def _line(row: Row, took: Times) -> str:
    return f"| {row.fault} | {row.seen} | {' | '.join(_cells(took))} |"


def _cells(took: Times) -> Iterator[str]:
    for time_s in took:
        yield "-" if time_s is None else f"{time_s:.1f} s"
