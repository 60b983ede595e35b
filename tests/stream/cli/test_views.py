import io
import threading
from pathlib import Path

import msgspec
import pytest

from tests.stream.engines import all_messages
from tests.stream.make_messages import make_gap, make_status
from whoplays.stream.cli.live_view import LiveView
from whoplays.stream.cli.views import Display, JsonLines, PlainLines, View
from whoplays.stream.common.terminal import note
from whoplays.stream.pipeline.recognizer import Recognizer
from whoplays.stream.pubsub.messages import Event, Message, Notice, decode
from whoplays.stream.sources.file import FileSource

QUEUE_MESSAGES = 3
LOST = Notice(what="lost", text="lost 3 messages of hall", stream="hall", count=3)


@pytest.fixture
def messages(concert: Path, recognizer: Recognizer) -> list[Message]:
    return list(all_messages(FileSource(concert, "max"), recognizer))


def test_json_goes_to_standard_output_and_notices_to_people(
    messages: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    with JsonLines() as view:
        for item in [*messages, LOST]:
            view.show(item)
    captured = capsys.readouterr()
    assert [decode(line.encode()) for line in captured.out.splitlines()] == messages
    assert captured.err == "whoplays: lost 3 messages of hall\n"


def test_what_cannot_be_noted_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or a reader that left."""
    with io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True) as full:
        monkeypatch.setattr("sys.stderr", full)
        note("nobody hears of this")


def test_lines_tell_the_story(messages: list[Message], capsys: pytest.CaptureFixture[str]) -> None:
    with PlainLines() as view:
        for item in [*messages, LOST, make_gap(0, stream="main")]:
            view.show(item)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "main: concert.wav, recognised by tiny 0.1 on cpu",
        "0:00.0-0:03.0   piano 99%",
        "0:00.0  piano enters",
        "0:03.0-0:06.0   piano 99%, violin 99%",
        "0:03.0  violin enters",
        "0:06.0-0:09.0   violin 99%",
        "0:06.0  piano leaves",
        "0:09.0-0:12.0   silence",
        "0:09.0  violin leaves",
        "main: finished after 0:12.0",
        "! lost 3 messages of hall",
        "0:00.0  gap: overload",
    ]


def test_the_live_view_shows_who_plays_how_sure_since_when(messages: list[Message]) -> None:
    screen = io.StringIO()
    with LiveView(screen) as view:
        for item in [*messages[:5], LOST]:
            view.show(item)
    last = " ".join(screen.getvalue().split())
    assert "main: concert.wav, recognised by tiny 0.1 on cpu" in last
    assert "99% since 0:00.0" in last
    assert "99% since 0:03.0" in last
    assert "main connecting 0:06.0 -13 dBFS piano, violin" in last
    assert "! lost 3 messages of hall" in last


class BlockedView(PlainLines):
    """A view whose reader has left."""

    def show(self, _item: Message | Notice) -> None:
        raise BrokenPipeError


def test_a_display_raises_what_its_view_raised() -> None:
    with pytest.raises(BrokenPipeError), Display(BlockedView()) as display:
        display.show(make_gap(0))


class HeldView(PlainLines):
    """A view that shows nothing until somebody waits for room in the queue of its display."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._going_on = threading.Event()

    def show(self, item: Message | Notice) -> None:
        self._going_on.wait()
        self._view.show(item)

    def hold(self, display: Display) -> None:
        """Let one message be taken, and fill the queue."""
        put = display._put

        def watched(item: Message | Notice, timeout_s: float | None = 0.0) -> bool:
            if timeout_s is None:
                self._going_on.set()
            return put(item, timeout_s)

        display._put = watched  # type: ignore[method-assign]
        display.show(make_gap(0))
        while display.waiting:
            pass
        for _ in range(QUEUE_MESSAGES):
            display.show(make_gap(0))


def end_while_full(view: HeldView, end: Message, skipped: int = 0) -> None:
    with Display(view) as display:
        view.hold(display)
        for _ in range(skipped):
            display.show(make_gap(0))
        display.show(end)


@pytest.fixture
def end(messages: list[Message]) -> Message:
    return messages[-1]


@pytest.mark.timeout(30)
def test_a_view_that_dies_while_the_queue_is_full_delays_nothing(end: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whoplays.stream.cli.views.QUEUE_MESSAGES", QUEUE_MESSAGES)
    with pytest.raises(BrokenPipeError):
        end_while_full(HeldView(BlockedView()), end)


@pytest.mark.timeout(30)
def test_the_end_is_shown_although_messages_were_skipped(
    end: Message, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.cli.views.QUEUE_MESSAGES", QUEUE_MESSAGES)
    end_while_full(HeldView(PlainLines()), end, skipped=1)
    *_, skipped, last = capsys.readouterr().out.splitlines()
    assert skipped == "! nobody read fast enough: 1 messages were not shown"
    assert last == "main: finished after 0:12.0"


def test_a_display_that_falls_behind_says_how_much_it_skipped(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whoplays.stream.cli.views.QUEUE_MESSAGES", QUEUE_MESSAGES)
    display = Display(PlainLines())
    for seq in range(5):
        display.show(make_gap(seq))
    with display:
        while display.waiting > 1:
            pass
        display.show(make_gap(5))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("!")] == ["! nobody read fast enough: 2 messages were not shown"]
    assert len(lines) == 5


def test_what_a_publisher_sends_controls_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status = make_status(0)
    wild = msgspec.structs.replace(status.source, name="a\x1b[2J\nb")
    with PlainLines() as view:
        view.show(msgspec.structs.replace(status, source=wild, detail="\x1b]0;title\x07"))
        view.show(Notice(what="lost", text="\x9b2J\u202e", stream="hall", count=1))
    note("\x1bc")
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in out.splitlines())
    assert len(out.splitlines()) == 2
    assert err == "whoplays: \\x1bc\n"


def test_of_a_long_gap_only_the_start_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    first = make_gap(1)
    with PlainLines() as view:
        view.show(make_status(0))
        view.show(first)
        view.show(msgspec.structs.replace(first, seq=2, start=100, end=200))
        view.show(msgspec.structs.replace(first, seq=3, start=44_100, end=44_200))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()[1:]]
    assert lines == ["0:00.0  gap: overload", "0:01.0  gap: overload"]


def test_what_is_wrong_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    well = make_status(0)
    with PlainLines() as view:
        view.show(well)
        view.show(msgspec.structs.replace(well, seq=1, state="lost", detail="the cable was pulled"))
        view.show(msgspec.structs.replace(well, seq=2, state="lost", detail="the cable was pulled"))
    assert capsys.readouterr().out.splitlines()[1:] == ["hall: lost: the cable was pulled"]


def test_an_event_that_comes_before_anything_else_says_whose_it_is(
    messages: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who begins to watch can hear an event first, and status a second later."""
    event = next(message for message in messages if isinstance(message, Event))
    with PlainLines() as view:
        view.show(event)
    assert capsys.readouterr().out.split() == ["main", "0:00.0", "piano", "enters"]


def test_of_several_streams_each_line_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainLines() as view:
        view.show(make_gap(0, stream="hall"))
        view.show(make_gap(0, stream="balcony"))
        view.show(msgspec.structs.replace(make_gap(1, stream="hall"), start=44_100, end=44_200))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["hall", "0:00.0", "gap:", "overload"],
        ["balcony", "0:00.0", "gap:", "overload"],
        ["hall", "0:01.0", "gap:", "overload"],
    ]
