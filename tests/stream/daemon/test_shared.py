"""Streams of one source with many channels, served by a daemon."""

import signal
from pathlib import Path

import pytest

from tests.stream.daemon.daemon import receive, serving, windows_of, write
from tests.stream.daemon.feeding import Feed
from whoplays.models.errors import OptionError
from whoplays.stream.daemon.check import check
from whoplays.stream.daemon.config import read_config
from whoplays.stream.daemon.config_errors import ConfigErrors
from whoplays.stream.daemon.reload import check_streams
from whoplays.stream.pubsub.messages import End, Event, Gap, Message, Status
from whoplays.stream.pubsub.subscriber import Subscriber

SOURCE = (
    '[[source]]\nname = "console"\naddress = "URI"\nchannels = 4\nnames = { 3 = "piano left", 4 = "piano right" }\n'
)


def taking(name: str, channels: str) -> str:
    keys = (f'name = "{name}"', 'source = "console"', f"channels = {channels}", 'model = "MODEL"', 'provider = "cpu"')
    return "\n".join(("[[stream]]", *keys, "hop_s = 0.5", ""))


def test_streams_come_and_go_and_the_source_is_not_touched(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "console.toml"
    before = taking("piano", '["piano left", "piano right"]') + taking("empty", "[1, 2]")
    with Feed(channels=4) as feed:
        source = SOURCE.replace("URI", feed.uri)
        write(path, model, source + before)
        with serving(path) as daemon, Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
            messages = receive(subscriber, lambda all_: len(windows_of(all_, "piano")) > 2)
            write(path, model, source + taking("mono", "[4]") + before.replace("[1, 2]", "[1]"))
            daemon.process.send_signal(signal.SIGHUP)
            assert daemon.logged("reloaded")["streams"] == ["mono", "piano", "empty"]
            messages += receive(subscriber, lambda all_: any(_enters(all_, name) for name in ("mono",)))
            daemon.process.send_signal(signal.SIGTERM)
            messages += receive(subscriber, lambda all_: sum(isinstance(m, End) for m in all_) == 3)
            assert daemon.wait() == 0
    piano = windows_of(messages, "piano")
    assert [window.start for window in piano] == [22_050 * k for k in range(len(piano))]
    assert len({window.session for window in piano}) == 1
    statuses = [message for message in messages if isinstance(message, Status) and message.state != "connecting"]
    assert len({status.source_session for status in statuses}) == 1
    assert {status.state for status in statuses if status.stream == "empty"} == {"listening", "silent", "ended"}
    assert _enters(messages, "piano")
    assert not _enters(messages, "empty")
    assert windows_of(messages, "mono")[0].start > piano[0].start
    assert not [message for message in messages if isinstance(message, Gap)]


def _enters(messages: list[Message], stream: str) -> bool:
    return any(isinstance(message, Event) and message.stream == stream for message in messages)


def read(folder: Path, text: str) -> None:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    errors = ConfigErrors(path)
    check_streams(read_config(path, errors), errors)


@pytest.mark.parametrize(
    ("source", "channels", "mistake"),
    [
        ("", "[5]", "stream a: channels must be between 1 and 4 of console, got 5"),
        ("", '["drums"]', "stream a: channels: 'drums' not found; there are piano left, piano right"),
        ("name = 'other'", "['left']", "stream a: channels: 'left' not found; names are given by a [[source]]"),
        ("channels = 65", "[1]", "source console: channels must be between 1 and 64, got 65"),
        ("names = { 5 = 'x' }", "[1]", "source console: names must be of channels 1 to 4, got '5'"),
        (f"names = {{ {5000 * '9'} = 'x' }}", "[1]", "source console: names must be of channels 1 to 4, got '999"),
        ("names = { x = 'x' }", "[1]", "source console: names must be of channels 1 to 4, got 'x'"),
        ("names = { 1 = 'x', 2 = 'x' }", "[1]", "source console: names must be unique, got 'x' twice"),
        ("address = 'device:x?channels=3'", "[1]", "source console: address: channels= must be left out"),
        ("address = 'zmq://127.0.0.1:0'\nrate_hz = 48000", "[1]", "source console: address: rate_hz must be left out"),
        ("address = 'gopher://x'", "[1]", "source console: address: source must be a file or an address"),
        ("rate_hz = 3", "[1]", "source console: rate_hz must be between 1000 and 1000000 Hz, got 3"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, source: str, channels: str, mistake: str) -> None:
    keys = {
        "name": "'console'",
        "address": "'rtp://127.0.0.1:0'",
        "channels": "4",
        "names": "{ 3 = 'piano left', 4 = 'piano right' }",
    }
    keys.update(dict(line.split(" = ", 1) for line in source.splitlines()))
    text = "\n".join(("[[source]]", *(f"{key} = {value}" for key, value in keys.items())))
    stream = f'\n[[stream]]\nname = "a"\nsource = "console"\nchannels = {channels}\n'
    with pytest.raises(OptionError) as told:
        read(tmp_path, text + stream)
    (line,) = str(told.value).splitlines()
    assert mistake in line


def test_a_check_tells_of_sources(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = '[[source]]\nname = "spare"\naddress = "rtp://127.0.0.1:5004"\nchannels = 2\n'
    path = write(tmp_path / "c.toml", model, SOURCE.replace("URI", "rtp://127.0.0.1:5004") + taking("a", "[1]"))
    check(path)
    write(path, model, SOURCE.replace("URI", "rtp://127.0.0.1:5005") + other + taking("a", "[1]"))
    check(path)
    assert "source spare: no stream takes from it; it is not opened" in capsys.readouterr().err
    write(path, model, SOURCE.replace("URI", "rtp://127.0.0.1:5004") + other + taking("a", "[1]"))
    with pytest.raises(OptionError, match="source spare: address: port 5004 is taken by source console"):
        check(path)
