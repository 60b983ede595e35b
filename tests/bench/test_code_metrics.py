from pathlib import Path

import pytest

from whoplays.bench.code_metrics import count_modules, read_modules, shared_class_names, time_tests
from whoplays.bench.hot_path import Call, calls_of_window, common_path, trace_hot_path
from whoplays.models.errors import DataError

ROOT = Path(__file__).parents[2]
SOCKET, RECEIVER, RING, ENGINE, RECOGNIZER, PUBLISHER = (
    f"stream/{name}.py" for name in ("rtp/socket", "rtp/receiver", "ring", "engine", "recognizer", "publisher")
)


def test_modules_lines_and_names_are_counted(tmp_path: Path) -> None:
    files = {
        "stream/__init__.py": '"""Only this."""\n',
        "stream/one.py": "class Row:\n    class Cell: ...\n" + "\n" * 68,
        "stream/deep/two.py": "class Row: ...\n",
        "whoplays.py": "VERSION = 1\n",
        "tests/test_one.py": "\n\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "whoplays").mkdir()
    (tmp_path / "whoplays" / "stream").symlink_to(tmp_path / "stream")
    stream, whoplays = (list(read_modules(tmp_path, folder)) for folder in ("stream", "whoplays"))
    table = count_modules({"stream": stream, "whoplays": whoplays}, list(read_modules(tmp_path, "tests")))
    assert table.rows == (
        ("stream", "2", "35.5", "1", "72", "1"),
        ("whoplays", "1", "1", "1", "1", "0"),
        ("product", "3", "1", "2", "73", "1"),
        ("tests", "1", "2", "1", "2", "0"),
    )
    assert shared_class_names(stream) == {"Row": [tmp_path / "stream/deep/two.py", tmp_path / "stream/one.py"]}


def test_the_time_of_tests_is_read(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text('<testsuites><testsuite tests="3" time="100.5"/><testsuite tests="1" time="20"/></testsuites>')
    assert time_tests(report) == "4 tests took 2:00 min"


def made_calls() -> list[Call]:
    """A packet in one thread; idle polling and a window in another."""
    return [
        Call(1, 2, ENGINE, RING, resumes=False),
        Call(2, 1, RECEIVER, SOCKET, resumes=True),
        Call(3, 1, SOCKET, RECEIVER, resumes=False),
        Call(4, 1, RECEIVER, RING, resumes=False),
        Call(5, 1, RECEIVER, "stream/after.py", resumes=False),
        Call(6, 2, "stream/daemon/health.py", ENGINE, resumes=False),
        Call(7, 2, ENGINE, RECOGNIZER, resumes=False),
        Call(8, 2, RECOGNIZER, RING, resumes=False),
        Call(9, 2, ENGINE, PUBLISHER, resumes=False),
        Call(10, 2, PUBLISHER, "zmq", resumes=False),
        Call(11, 2, PUBLISHER, "stream/later.py", resumes=False),
    ]


def test_a_way_is_followed_from_packet_to_message() -> None:
    """What is called for one window alone is not part of it."""
    window = calls_of_window(made_calls(), received_ns=12)
    found = common_path([window, window, [*window, Call(13, 2, ENGINE, "stream/status.py", resumes=False)]])
    assert found.modules == (RECEIVER, SOCKET, RING, ENGINE, RECOGNIZER, PUBLISHER)
    assert found.turns == ((SOCKET, RECEIVER), (RECOGNIZER, RING))


def test_without_a_message_there_is_no_way() -> None:
    with pytest.raises(DataError, match="no packet was followed"):
        calls_of_window(made_calls(), received_ns=9)


@pytest.mark.slow
def test_the_way_of_a_sample_is_traced() -> None:
    found = trace_hot_path(ROOT).modules
    places = [found.index(f"stream/{name}.py") for name in ("sources/rtp/packet", "pipeline/ring", "pubsub/publisher")]
    assert places == sorted(places)
    assert "stream/pipeline/recognizer.py" in found
