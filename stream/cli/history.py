"""`whoplays history`: who played when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from whoplays.stream.common.paths import history_file
from whoplays.stream.common.terminal import ignore_broken_pipe
from whoplays.stream.history.export import Format, parse_moment, write
from whoplays.stream.history.query import Query, appearances, newest_session


def history(
    database: Path | None = None,
    /,
    *,
    stream: str | None = None,
    since: str | None = None,
    until: str | None = None,
    form: Annotated[Format, Parameter(name="--format")] = "table",
    session: str | None = None,
) -> None:
    """Show who played when, as far as `whoplays serve` has kept it; also while it runs.

    Args:
        database: The history's file; unless given, the one in your folder for state.
        stream: The one stream to show; all of them unless given.
        since: Who played then or later: a date, a date and time, a time of today, or how long ago, such as 90m.
        until: Who played then or earlier; written like `since`.
        form: A table for people, CSV, a line of JSON for each appearance, or labels for Audacity, of one session.
        session: The one session to show; unless given, all of them, or for Audacity the newest.
    """
    path = database or history_file()
    query = Query(stream, session, _moment(since), _moment(until))
    if form == "audacity" and session is None:
        query = query._replace(session=newest_session(path, stream))
    found = appearances(path, query)
    with ignore_broken_pipe():
        write(found, form)


def _moment(text: str | None) -> int | None:
    return None if text is None else parse_moment(text, datetime.now(UTC))
