"""The database of the history: its tables, and how it is opened."""

import os
import sqlite3
import tempfile
from contextlib import closing
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

MIGRATIONS: Final = (_FIRST,)
"""What leads from each version of the tables to the next; a file's version is how many of them it has seen."""


def open_to_write(path: Path) -> sqlite3.Connection:
    """The database, made or brought to the newest version if need be; transactions begin and end explicitly.

    Raises:
        DataError: it cannot be made or written, is no history, or was made by a newer version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _no_place(path, error) from error
    try:
        _prepare(connection, path)
    except sqlite3.Error as error:
        connection.close()
        raise DataError(f"cannot keep a history in {path}: {error}; give another file") from error
    except DataError:
        connection.close()
        raise
    return connection


def check_to_write(path: Path) -> None:
    """Refuse a path where no history could be kept; nothing is made or changed.

    Raises:
        DataError: it cannot be made or written, is no history, or was made by a newer version.
    """
    try:
        nearest = next(each for each in (path, *path.parents) if each.exists())
        if nearest == path:
            with path.open("r+b"):
                pass
        else:
            # Asked for by doing it: who may write is not for the permissions alone to say.
            with tempfile.TemporaryFile(dir=nearest):
                pass
    except OSError as error:
        raise _no_place(path, error) from error
    if nearest == path:
        with closing(_connect_to_read(path)) as connection:
            _check_version(connection, path)


def open_to_read(path: Path) -> sqlite3.Connection:
    """The database, of which nothing can be changed, and whose writer is not disturbed.

    Raises:
        DataError: there is none, it cannot be read, is no history, or of another version.
    """
    connection = _connect_to_read(path)
    try:
        if _version(connection, path) != len(MIGRATIONS):
            raise DataError(f"{path} has an older history; whoplays serve brings it up to date")
    except sqlite3.Error as error:
        connection.close()
        raise DataError(f"cannot read a history in {path}: {error}") from error
    except DataError:
        connection.close()
        raise
    return connection


def _no_place(path: Path, error: Exception) -> DataError:
    reason = error.strerror if isinstance(error, OSError) else error
    return DataError(f"cannot keep a history in {path}: {reason}; give a file in a folder to write in")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    try:
        _version(connection, path)
    except sqlite3.Error as error:
        raise DataError(f"cannot keep a history in {path}: {error}; give another file") from error


def _connect_to_read(path: Path) -> sqlite3.Connection:
    try:
        if not path.is_file():
            raise DataError(f"there is no history in {path}; give the file that whoplays serve keeps it in")
        # Even a reader makes the log's files. Where it may not, and there is no log, the file is all there is.
        logged = os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists()
        address = f"{path.resolve().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
        return sqlite3.connect(address, BUSY_S, isolation_level=None, uri=True)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot read a history in {path}: {reason}") from error


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
    strange = application != APPLICATION_ID and (application or version or _has_tables(connection))
    if strange:
        raise DataError(f"{path} is another program's database; give another file")
    if version > len(MIGRATIONS):
        raise DataError(
            f"{path} was written by a newer whoplays (its version is {version}, known is {len(MIGRATIONS)}); "
            "update whoplays, or give another file"
        )
    return version


def _has_tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])
