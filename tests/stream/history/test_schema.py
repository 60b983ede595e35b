import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from whoplays.models.errors import DataError
from whoplays.stream.history.schema import APPLICATION_ID, MIGRATIONS, open_to_read, open_to_write


def test_a_new_database_survives_a_power_cut_and_can_shrink(tmp_path: Path) -> None:
    with closing(open_to_write(tmp_path / "deep" / "history.db")) as connection:
        pragmas = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "auto_vacuum", "foreign_keys", "user_version", "application_id")
        }
    full, incremental = 2, 2
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": full,
        "auto_vacuum": incremental,
        "foreign_keys": 1,
        "user_version": len(MIGRATIONS),
        "application_id": APPLICATION_ID,
    }


def test_it_opens_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    for _ in range(2):
        with closing(open_to_write(path)) as connection:
            connection.execute("INSERT INTO sessions VALUES (NULL, 'hall', hex(randomblob(4)), '', '', '', 0, 0, 0, 0)")
    with closing(open_to_read(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (2,)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    open_to_write(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for opener in (open_to_write, open_to_read):
        with pytest.raises(DataError, match="of a newer whoplays"):
            opener(path)


def test_an_older_version_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    open_to_write(path).close()
    newer = (*MIGRATIONS, "ALTER TABLE sessions ADD COLUMN venue TEXT")
    monkeypatch.setattr("whoplays.stream.history.schema.MIGRATIONS", newer)
    with pytest.raises(DataError, match="older history"):
        open_to_read(path)
    with closing(open_to_write(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(newer),)
        assert connection.execute("SELECT venue FROM sessions").fetchall() == []


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "history.db"
    open_to_write(path).close()
    broken = (*MIGRATIONS, "CREATE TABLE venues (name TEXT); CREATE TABLE nonsense")
    with monkeypatch.context() as patched:
        patched.setattr("whoplays.stream.history.schema.MIGRATIONS", broken)
        with pytest.raises(DataError, match="cannot write a history"):
            open_to_write(path)
    with closing(open_to_write(path)) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'venues'").fetchone() == (0,)


def test_other_programs_databases_and_other_files_are_left_alone(tmp_path: Path) -> None:
    other, text = tmp_path / "other.db", tmp_path / "text.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    text.write_text("These are notes about a concert, and no database at all.\n" * 20)
    before = [path.read_bytes() for path in (other, text)]
    for opener in (open_to_write, open_to_read):
        with pytest.raises(DataError, match="another program's"):
            opener(other)
        with pytest.raises(DataError, match="file is not a database"):
            opener(text)
    assert [path.read_bytes() for path in (other, text)] == before


def test_a_path_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "history.db", tmp_path, Path("/proc/whoplays/history.db")):
        with pytest.raises(DataError, match="cannot write a history in") as caught:
            open_to_write(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="not found"):
        open_to_read(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()


def test_a_path_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    open_to_write(tmp_path / "history.db").close()
    # Longer than SQLite takes, though not longer than the system does.
    deep = tmp_path.joinpath(*3 * [200 * "x"]) / "history.db"
    deep.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "history.db", deep)
    with pytest.raises(DataError, match=r"cannot read a history in .*: unable to open database file$"):
        open_to_read(deep)
    with pytest.raises(DataError, match=r"cannot read a history in .*: File name too long$"):
        open_to_read(tmp_path / (300 * "x"))


def test_a_folder_without_write_permission_is_one_line(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    try:
        (locked / "probe").touch()
    except PermissionError:
        with pytest.raises(DataError, match="unable to open database file"):
            open_to_write(locked / "history.db")
    else:
        pytest.skip("this user may write anywhere")
