"""`whoplays history`, as it is called and as programs read what it prints."""

import csv
import io
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.stream.history.make_history import STARTED_NS, make_concert, make_event, make_window, record
from tests.stream.make_messages import make_gap
from whoplays.models.signal import SAMPLE_RATE_HZ
from whoplays.stream.cli.history import history, parse_time
from whoplays.stream.pubsub.messages import Message


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history at the default place: the concert, and after it a session that was cut off."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "whoplays" / "history.db"
    record(path, make_concert())
    started_at_ns = STARTED_NS + 3600 * 1_000_000_000
    cut_off = make_event(0, "start", 0, "pipe organ", session="two"), make_event(1, "end", 3, session="two")
    record(path, [make_window(0, session="two", started_at_ns=started_at_ns), *cut_off])
    return path


def test_a_table_for_people(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    history()
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["stream", "from", "to", "for", "who", "peak"]
    assert [line.split()[-2:] for line in lines] == [
        ["piano", "95%"],
        ["violin", "80%"],
        ["heard:", "network"],
        ["not", "listening"],
        ["organ", "90%"],
        ["piano", "90%"],
    ]
    assert "0:06.0" in lines[0]
    history(stream="hall", since="1s")
    assert capsys.readouterr().out == "nobody played\n"


def test_csv_for_spreadsheets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(path, form="csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == {
        "stream": "hall",
        "session": "one",
        "label": "piano",
        "start": "2026-01-01T00:00:00.000Z",
        "end": "2026-01-01T00:00:06.000Z",
        "start_sample": "0",
        "end_sample": "264600",
        "peak": "0.95",
        "gap": "",
    }
    assert [(row["label"], row["gap"], row["start"][11:19], row["end"][11:19]) for row in rows[1:]] == [
        ("violin", "", "00:00:03", "00:00:12"),
        ("", "network", "00:00:06", "00:00:07"),
        ("", "not listening", "00:00:12", "01:00:03"),
        ("pipe organ", "", "01:00:00", "01:00:03"),
        ("piano", "", "", "01:00:03"),
    ]


def test_json_for_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(form="json", session="one", until="2026-01-01T00:00:02Z")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "stream": "hall",
        "session": "one",
        "label": "piano",
        "start": "2026-01-01T00:00:00.000Z",
        "end": "2026-01-01T00:00:06.000Z",
        "start_sample": 0,
        "end_sample": 264600,
        "peak": 0.95,
    }


def test_gaps_are_told_from_silence(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(form="json", since="2026-01-01T00:00:06.5Z", until="2026-01-01T00:00:07Z")
    gap = [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1]
    assert (gap["gap"], gap["label"], gap["start_sample"], gap["end_sample"]) == ("network", None, 264600, 308700)


@pytest.mark.parametrize(
    "span", [{"since": "0001-01-02T00:00Z", "until": "2020-01-01"}, {"until": "0001-01-02T00:00Z"}]
)
def test_times_that_no_database_can_hold_find_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], span: dict[str, str]
) -> None:
    history(**span)  # type: ignore[arg-type]
    assert capsys.readouterr().out == "nobody played\n"


def test_labels_for_audacity_are_of_one_session(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(form="audacity", session="one")
    assert capsys.readouterr().out == (
        "0.000000\t6.000000\tpiano\n3.000000\t12.000000\tviolin\n6.000000\t7.000000\tnot heard: network\n"
    )
    history(form="audacity")
    assert capsys.readouterr().out == "0.000000\t3.000000\tpipe organ\n3.000000\t3.000000\tpiano\n"


def test_an_outage_is_one_label_for_audacity(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told second by second."""
    seconds = [
        msgspec.structs.replace(make_gap(at), start=at * SAMPLE_RATE_HZ, end=(at + 1) * SAMPLE_RATE_HZ, cause="network")
        for at in (3, 4, 5, 9)
    ]
    record(tmp_path / "history.db", [make_window(0), *seconds])
    history(tmp_path / "history.db", form="audacity")
    lines = ("3.000000\t6.000000\tnot heard: network", "9.000000\t10.000000\tnot heard: network")
    assert capsys.readouterr().out == "".join(f"{line}\n" for line in lines)


def test_a_reader_may_leave(path: Path) -> None:
    many: list[Message] = [
        make_window(0, session="three"),
        *(make_event(number, "end", 3, session="three") for number in range(9000)),
    ]
    record(path, many)
    command = [sys.executable, "-m", "whoplays", "history", str(path), "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["label"] == "piano"
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("missing.db", "history missing.db not found"),
        ("--stream cellar", "stream 'cellar' not found in"),
        ("--stream cellar --session one", "stream 'cellar' not found in"),
        ("--stream cellar --format audacity", "stream 'cellar' not found in"),
        ("--session three", "session 'three' not found in"),
        ("--session three --stream hall", "session 'three' of 'hall' not found in"),
        ("--session three --format audacity", "session 'three' not found in"),
        ("--since yesterday", "time must be one such as 2026-05-01"),
        ("--until 99999999h", "got '99999999h'"),
        ("--since 999999d", "got '999999d'"),
        ("--stream \udcff", "stream '\\udcff' not found in"),
        ("--session \udcff", "session '\\udcff' not found in"),
        ("\udcff.db", "not found"),
        ("--format xml", "xml"),
    ],
)
def test_each_mistake_gives_one_line(
    path: Path, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["history", *arguments.split()])
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    assert message in line


@pytest.mark.parametrize("form", ["table", "audacity"])
def test_a_damaged_history_gives_one_line(path: Path, capfd: pytest.CaptureFixture[str], form: str) -> None:
    whole = path.read_bytes()
    page = 4096  # the first one says what tables there are
    path.write_bytes(whole[:page] + b"\xff" * (len(whole) - page))
    with pytest.raises(SystemExit):
        whoplays.main(["history", "--format", form])
    (line,) = capfd.readouterr().err.splitlines()
    assert line == f"whoplays: cannot read the history in {path}: database disk image is malformed"


def test_times_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    now = datetime(2026, 7, 1, 22, 0, tzinfo=UTC)  # the 2nd of July in Berlin, at midnight
    utc = {
        "2026-01-15": "2026-01-14T23:00",
        "2026-07-01T20:15": "2026-07-01T18:15",
        "2026-07-01 20:15:30": "2026-07-01T18:15:30",
        "2026-07-01T20:15Z": "2026-07-01T20:15",
        "20:15": "2026-07-02T18:15",
        "9:05": "2026-07-02T07:05",
        "90m": "2026-07-01T20:30",
        "1.5h": "2026-07-01T20:30",
        "2d": "2026-06-29T22:00",
    }
    try:
        found = {text: parse_time(text, now) for text in utc}
    finally:
        monkeypatch.undo()
        time.tzset()
    assert found == {
        text: round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1e9)
        for text, moment in utc.items()
    }


def test_nothing_is_asked_of_the_future(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(["history", "--since", "2300-01-01"])
    assert leaving.value.code == 1
    assert "--since must not be in the future, got '2300-01-01'" in capfd.readouterr().err


def test_a_session_in_which_nobody_played_is_said(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    history(form="audacity", session="two", until="2020-01-01")
    out, err = capfd.readouterr()
    assert out == ""
    assert "nobody played in that session" in err
