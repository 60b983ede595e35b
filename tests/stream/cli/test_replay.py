"""`whoplays replay`: recorded messages come again, as if they were of now."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stream.history.make_history import make_concert, record
from tests.stream.page.test_state import T0, S, event, status, window
from tests.stream.relay.relaying import Notes
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Notice, Status, Window, to_json
from whoplays.stream.pubsub.subscriber import Subscriber


def played(*arguments: str) -> list[Message | Notice]:
    """What a subscriber receives of a replay."""
    with replaying(*arguments) as notes, Subscriber(notes.next().rpartition(" ")[2]) as subscriber:
        items: list[Message | Notice] = []
        while not items or not isinstance(items[-1], End):
            items.append(next(subscriber))
        assert notes.process.wait(10) == 0
        assert subscriber.lost == 0
        return items


@contextmanager
def replaying(*arguments: str) -> Iterator[Notes]:
    command = [sys.executable, "-m", "whoplays", "replay", *arguments, "--publish", "tcp://127.0.0.1:*", "--wait", "20"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Notes(process)
        finally:
            process.kill()


def test_messages_come_with_their_timing_and_are_of_now(tmp_path: Path) -> None:
    end = End(stream="hall", session="one", seq=0, published_ns=T0 + 6 * S, reason="stopped", detail="", final=9)
    recording = tmp_path / "concert.jsonl"
    messages: list[Message] = [status(0), window(0, violin=0.7), event(3, "violin", "start"), status(5), end]
    recording.write_text("".join(f"{to_json(each)}\n" for each in messages))
    began_ns = time.time_ns()
    items = played(str(recording), "--speed", "10")
    first, heard, entrance, second, last = items
    assert isinstance(first, Status)
    assert isinstance(heard, Window)
    assert isinstance(entrance, Event)
    assert isinstance(second, Status)
    assert isinstance(last, End)
    assert first.session != "one"
    assert second.last_seq == {"window": 0, "event": 0}
    assert began_ns < entrance.at_ns < time.time_ns()
    assert last.published_ns - first.published_ns == pytest.approx(6 * S / 10, abs=S / 10)


def test_of_a_history_the_newest_session_comes(tmp_path: Path) -> None:
    database = tmp_path / "history.db"
    record(database, make_concert())
    items = played(str(database), "--speed", "20")
    events = [(each.label, each.phase, each.at // 44_100) for each in items if isinstance(each, Event)]
    assert events == [("piano", "start", 0), ("violin", "start", 3), ("piano", "end", 6), ("violin", "end", 12)]
    assert [(each.start // 44_100, each.cause) for each in items if isinstance(each, Gap)] == [(6, "network")]
    statuses = [each for each in items if isinstance(each, Status)]
    assert [[each.label for each in status.playing or ()] for status in statuses[4:6]] == [["piano", "violin"]] * 2


@pytest.mark.parametrize(
    ("text", "arguments", "mistake"),
    [
        ("{}\n", (), "concert.jsonl, line 1 is no message: Object missing required field `kind`"),
        (None, (), "concert.jsonl cannot be read: No such file or directory"),
        ("", (), "concert.jsonl has no message"),
        ("", ("--speed", "0"), "speed must be between 0.01 and 1000, got 0"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str | None, arguments: tuple[str, ...], mistake: str) -> None:
    if text is not None:
        (tmp_path / "concert.jsonl").write_text(text)
    command = [sys.executable, "-m", "whoplays", "replay", "concert.jsonl", "--publish", "tcp://127.0.0.1:*"]
    done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"whoplays: {mistake}")
