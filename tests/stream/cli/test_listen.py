"""The commands as users run them: in processes of their own."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import soundfile

import whoplays
from tests.stream.conftest import make_concert
from tests.stream.sources.test_file import write_bad_files
from whoplays.stream.pubsub.messages import End, Notice, Window, schema
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Subscriber

WHOPLAYS = (sys.executable, "-m", "whoplays")


def run(*arguments: str | Path, data: bytes | None = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*WHOPLAYS, *map(str, arguments)], input=data, capture_output=True, check=False, timeout=60)


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [*WHOPLAYS, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def published_at(process: subprocess.Popen[str]) -> str:
    """The address that `listen` says it publishes on."""
    assert process.stderr
    return process.stderr.readline().split()[-1]


def test_json_lines_are_messages_by_the_schema(concert: Path, model: Path) -> None:
    done = run("listen", concert, "--model", model, "--speed", "max", "--json", "--no-publish")
    assert (done.returncode, done.stderr) == (0, b"")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    validator = jsonschema.Draft202012Validator(schema())
    for message in messages:
        validator.validate(message)
    assert [message["kind"] for message in messages].count("window") == 4
    assert messages[-1]["kind"] == "end"


@pytest.mark.parametrize(
    ("channels", "playing"), [("1,2", set()), ("3,4", {"piano", "violin"}), ("4", {"piano", "violin"})]
)
def test_channels_are_chosen(tmp_path: Path, model: Path, channels: str, playing: set[str]) -> None:
    audio = np.pad(make_concert(44_100), ((0, 0), (2, 0)))
    soundfile.write(tmp_path / "four.wav", audio, 44_100)
    options = ("--model", model, "--speed", "max", "--json", "--no-publish")
    done = run("listen", tmp_path / "four.wav", "--channels", channels, *options)
    assert (done.returncode, done.stderr) == (0, b"")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert {message["label"] for message in messages if message["kind"] == "event"} == playing


def test_frames_are_told_on_request_by_the_schema(concert: Path, framed_model: Path) -> None:
    options = ("--model", framed_model, "--speed", "max", "--frames", "--sensitivity", "low")
    done = run("listen", concert, *options, "--json", "--no-publish")
    assert (done.returncode, done.stderr) == (0, b"")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    validator = jsonschema.Draft202012Validator(schema())
    for message in messages:
        validator.validate(message)
    windows = [message for message in messages if message["kind"] == "window"]
    assert [len(window["frames"]) for window in windows] == 4 * [10]
    assert {(window["step_samples"], window["first_sample"]) for window in windows} == {(13_230, 0)}
    assert messages[0]["thresholds"] == pytest.approx([0.7311, 0.7311], abs=1e-4)


def test_without_a_terminal_people_read_lines(concert: Path, model: Path) -> None:
    done = run("listen", concert, "--model", model, "--speed", "max", "--no-publish")
    text = done.stdout.decode()
    assert "concert.wav, recognised by tiny 0.1 on" in text
    assert "0:03.0  violin enters" in text
    assert "0:09.0-0:12.0   silence" in text
    assert "main: finished after 0:12.0" in text


def test_pcm_is_heard_on_standard_input(model: Path) -> None:
    data = bytes(4 * 48_000 * 4)
    done = run("listen", "-", "--rate", "48000", "--model", model, "--no-publish", "--json", data=data)
    end = json.loads(done.stdout.splitlines()[-1])
    assert (end["reason"], end["final"]) == ("finished", 4 * 44_100)


@pytest.mark.slow
def test_another_process_hears_100_windows_a_second_without_loss(concert: Path, model: Path) -> None:
    """Nobody reads standard output meanwhile, which must delay nothing."""
    options = ("--model", model, "--hop", "0.01", "--publish", "tcp://127.0.0.1:*", "--wait", "20")
    with running("listen", concert, *options, "--json") as process, Subscriber(published_at(process)) as subscriber:
        windows = []
        for item in subscriber:
            assert not isinstance(item, Notice), item
            if isinstance(item, Window):
                windows.append(item)
                if len(windows) == 200:
                    process.send_signal(signal.SIGINT)
            if isinstance(item, End):
                break
        process.communicate(timeout=30)
    assert [window.seq for window in windows] == list(range(len(windows)))
    assert isinstance(item, End)
    assert (subscriber.lost, item.reason) == (0, "stopped")


def test_another_process_hears_max_speed_without_loss(concert: Path, model: Path) -> None:
    options = ("--model", model, "--hop", "0.008", "--speed", "max", "--publish", "tcp://127.0.0.1:*", "--wait", "20")
    with running("listen", concert, *options) as process:
        done = run("watch", published_at(process), "--json", "--until-end")
        process.communicate(timeout=30)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, b"")
    assert [message["seq"] for message in messages if message["kind"] == "window"] == list(range(1125))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_with_a_word(concert: Path, model: Path, number: signal.Signals) -> None:
    with running("listen", concert, "--model", model, "--json", "--no-publish") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    last = json.loads(out.splitlines()[-1])
    assert (process.returncode, err, last["kind"], last["reason"]) == (0, "", "end", "stopped")


def test_a_reader_may_leave(concert: Path, model: Path) -> None:
    with running(
        "listen", concert, "--model", model, "--json", "--no-publish", "--speed", "max", "--hop", "0.01"
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_watch_leaves_when_told_and_says_that_nobody_speaks() -> None:
    with running("watch", "tcp://127.0.0.1:1") as process:
        assert process.stdout
        assert "nothing came from tcp://127.0.0.1:1" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "source not given; give an audio file, - for standard input, or an address"),
        ("missing.wav", "file missing.wav not found"),
        ("folder", "folder is a folder"),
        ("empty.wav", "empty.wav is empty"),
        ("text.wav", "text.wav is not readable as audio"),
        ("short.wav", "a window needs 3 s"),
        ("-", "ended after 0.00 s; a window needs 3 s"),
        ("- --channels 0", "PCM channels must be between 1 and 64, got 0"),
        (
            "concert.wav --rate 48000",
            "format and rate must be left out unless the source is -, got concert.wav",
        ),
        (
            "rtp://127.0.0.1:0?bits=24 --rate 48000",
            "format and rate must be left out unless the source is -, got rtp://127.0.0.1:0?bits=24",
        ),
        ("rtp://127.0.0.1:0?bits=24 --channels 3", "channel 3 not found; there are 2"),
        ("concert.wav --channels 3 --speed max", "channel 3 not found; there are 2"),
        ("concert.wav --channels 0", "channels must be one or more numbers between 1 and 64, or all"),
        ("- --channels 1,2", "channels must be how many channels raw PCM has, such as 2; got '1,2'"),
        (
            "concert.wav --format s16le",
            "format and rate must be left out unless the source is -, got concert.wav",
        ),
        ("- --format mp3", "Choose from"),
        ("concert.wav --model nobody", "model 'nobody' not found"),
        ("concert.wav --hop 0", "between 0.000023 and 3 s, got 0"),
        ("concert.wav --hop 0.00001", "between 0.000023 and 3 s, got 0.00001"),
        ("concert.wav --wait inf", "wait must be between 0 and 86400 s, got inf"),
        ("concert.wav --wait nan", "wait must be between 0 and 86400 s, got nan"),
        ("concert.wav --wait 1e10", "wait must be between 0 and 86400 s, got 10000000000"),
        ("concert.wav --wait -1", "wait must be between 0 and 86400 s, got -1"),
        ("--jsno", "Unknown option: --jsno"),
        ("concert.wav --jsno", "Unknown option: --jsno"),
        ("concert.wav --frames", "model tiny gives no frames; leave frames out, or give a model that has them"),
        ("concert.wav --sensitivity medium", "Choose from"),
        ("concert.wav --provider abacus", "provider must be cpu or cuda, got 'abacus'"),
        ("concert.wav --publish tcp://*:9460", "open to the network"),
    ],
)
def test_each_mistake_gives_one_clear_line(
    folder: Path, model: Path, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    given = ["listen", *arguments.split()]
    given += [] if "--model" in given else ["--model", str(model)]
    given += [] if "--publish" in given else ["--no-publish"]
    assert message in complaint(given, capfd)


def test_a_port_in_use_gives_one_clear_line(folder: Path, model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        given = ["listen", "concert.wav", "--model", str(model), "--publish", publisher.endpoint]
        assert f"{publisher.endpoint} is in use" in complaint(given, capfd)


def complaint(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error with which the command fails."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(arguments)
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    return line


@pytest.fixture
def folder(tmp_path: Path, concert: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: a concert, bad files, and an empty standard input."""
    write_bad_files(tmp_path)
    shutil.copy(concert, tmp_path)
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "empty.wav").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield tmp_path


def test_why_it_failed_is_told_once() -> None:
    done = run("listen", "-", "--no-publish")
    assert (done.stdout + done.stderr).count(b"standard input ended") == 1
