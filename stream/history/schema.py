"""The database of the history: its tables, and how it is opened."""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from whoplays.models.errors import DataError

APPLICATION_ID: Final = 0x77706C79
"""Says in the file's header that it is a history, and no other program's database."""
BUSY_S: Final = 1.0

_FIRST: Final = """
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    session TEXT NOT NULL,
    source TEXT NOT NULL,
    uri TEXT NOT NULL,
    model TEXT NOT NULL,
    started_ns INTEGER NOT NULL,   -- when its first message was published
    known_sample INTEGER NOT NULL, -- the end of its newest window,
    known_ns INTEGER NOT NULL,     -- and when that was heard
    spoke_ns INTEGER NOT NULL,     -- when its newest message was published
    UNIQUE (stream, session)
);
CREATE TABLE events (              -- one row for each appearance
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    number INTEGER NOT NULL,
    label TEXT NOT NULL,
    start_sample INTEGER,          -- NULL if the message was lost
    start_ns INTEGER,
    end_sample INTEGER,            -- NULL while it plays
    end_ns INTEGER,
    peak REAL NOT NULL,
    UNIQUE (session, number)
);
CREATE TABLE windows (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    start_sample INTEGER NOT NULL,
    end_sample INTEGER NOT NULL,
    closed_ns INTEGER NOT NULL,
    dbfs REAL NOT NULL,
    silent INTEGER NOT NULL,
    lost_samples INTEGER NOT NULL,
    probabilities TEXT NOT NULL    -- JSON: by label
);
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL REFERENCES sessions ON DELETE CASCADE,
    start_sample INTEGER NOT NULL,
    end_sample INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    cause TEXT NOT NULL
);
CREATE TABLE ends (
    session INTEGER PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    final_sample INTEGER NOT NULL,
    ended_ns INTEGER NOT NULL
);
CREATE INDEX events_open ON events (session) WHERE end_ns IS NULL;
CREATE INDEX windows_by_session ON windows (session);
CREATE INDEX windows_by_time ON windows (closed_ns);
CREATE INDEX gaps_by_session ON gaps (session);
"""

APPEARANCE_AT: Final = "coalesce(start_ns, end_ns)"
GAP_START: Final = "end_ns - (end_sample - start_sample) * 1000000000 / 44100"
"""When an appearance and a gap began, by which they are ordered; as they stand here, so that the indexes are used."""
_INDEXES: Final = f"""
CREATE INDEX events_by_start ON events ({APPEARANCE_AT});
CREATE INDEX events_by_end ON events (end_ns);
CREATE INDEX gaps_by_start ON gaps ({GAP_START});
CREATE INDEX gaps_by_end ON gaps (end_ns);
CREATE INDEX sessions_by_newest ON sessions (spoke_ns);
"""
MIGRATIONS: Final = (_FIRST, _INDEXES)
"""What leads from each version of the tables to the next; a file's version is how many of them it has seen.

A new column is added by a new migration here, filled in writer.py, and shown by a field of `Row` in query.py.
"""
_ONLY_FASTER: Final = frozenset({_INDEXES})
"""Those without which a file reads the same."""


@contextmanager
def sqlite_errors(failure: str) -> Iterator[None]:
    """Raise errors of the system and of SQLite as one line that begins with what failed.

    Raises:
        DataError: see above.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise DataError(f"{failure}: {getattr(error, 'strerror', None) or error}") from error


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database, made or brought to the newest version if need be; transactions begin and end explicitly.

    Raises:
        DataError: it cannot be made or written, is another program's, or was made by a newer version.
    """
    with sqlite_errors(f"cannot write a history in {path}"), ExitStack() as stack:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
        stack.callback(connection.close)
        _prepare(connection, path)
        stack.pop_all()
        return connection


def check_to_write(path: Path) -> None:
    """Refuse a path where no history could be written; nothing is made or changed.

    Raises:
        DataError: it cannot be made or written, is another program's, or was made by a newer version.
    """
    with sqlite_errors(f"cannot write a history in {path}"):
        nearest = next(each for each in (path, *path.parents) if each.exists())
        if nearest != path:
            # Tried, because permissions alone do not say who may write.
            with tempfile.TemporaryFile(dir=nearest):
                return
        if not (path.is_file() or path.is_dir()):
            raise OSError(errno.EINVAL, "it is not a regular file")
        with path.open("r+b"), closing(_connect_to_read(path)) as connection:
            _version(connection, path)


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database, of which nothing can be changed, and whose writer is not disturbed.

    Raises:
        DataError: there is none, it cannot be read, is another program's, or of another version.
    """
    with sqlite_errors(f"cannot read a history in {path}"), ExitStack() as stack:
        if not path.is_file():
            raise DataError(f"history {path} not found; give the file that whoplays serve writes")
        connection = _connect_to_read(path)
        stack.callback(connection.close)
        if not _ONLY_FASTER.issuperset(MIGRATIONS[_version(connection, path) :]):
            raise DataError(f"{path} has an older history; whoplays serve brings it up to date")
        stack.pop_all()
        return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    # Even a reader makes the log's files. Where it may not, and there is no log, the file is all there is.
    logged = os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()
    address = f"{path.resolve().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
    return sqlite3.connect(address, BUSY_S, isolation_level=None, uri=True)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heeded while the file is empty only, so it comes first
    version = _version(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode NORMAL syncs at checkpoints only: a power cut would lose everything since the last of them, minutes
    # perhaps. FULL syncs at every commit. With one commit a second at most that is cheap, and only that second is lost.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        stamps = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number};"
        connection.executescript(f"BEGIN IMMEDIATE; {step}; {stamps} COMMIT;")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    version, application = (_number(connection, name) for name in ("user_version", "application_id"))
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise DataError(f"{path} is another program's database; give another file")
    if version > len(MIGRATIONS):
        raise DataError(
            f"version of {path} must be at most {len(MIGRATIONS)}, got {version}, of a newer whoplays; "
            "update whoplays, or give another file"
        )
    return version


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
