"""What an earlier version wrote is read by this one, through the command and the Python interface."""

import json
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
import zmq

import whoplays

FIXTURES = Path(__file__).parent / "0.1.0"
PATIENCE_S = 60.0
ONE_STREAM = """
publish = "tcp://127.0.0.1:*"
[history]
path = "history.db"
keep_windows = true
[[stream]]
name = "tape"
source = "tape.wav"
model = "model"
provider = "cpu"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a copy of everything, and 3.1 s of a sine on the left: the model takes it for a piano."""
    shutil.copytree(FIXTURES, tmp_path, dirs_exist_ok=True)
    for secret in tmp_path.glob("keys/*.key_secret"):
        secret.chmod(0o600)  # which no version control keeps
    soundfile.write(tmp_path / "tape.wav", sine(3.1), 44_100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sine(duration_s: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """`[samples, 2] float32`"""
    left = 0.3 * np.sin(2 * np.pi * 441 * np.arange(round(duration_s * 44_100)) / 44_100)
    return np.stack([left, np.zeros_like(left)], axis=1).astype(np.float32)


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "whoplays", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def history(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What `whoplays history` shows of the history here."""
    whoplays.main(["history", "history.db", "--format", "json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_history_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [row for row in history(capsys) if "gap" not in row]  # 0.1.0 showed appearances alone
    for row, expected in zip(shown, lines_of(folder / "history.jsonl"), strict=True):
        assert row | expected == row


def test_daemon_appends_to_history(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = history(capsys)
    (folder / "serve.toml").write_text(ONE_STREAM)
    with running("serve", "serve.toml") as daemon:  # until the recording is over
        _, log = daemon.communicate(timeout=PATIENCE_S)
    assert daemon.returncode == 0, log
    shown = history(capsys)
    assert shown[:-1] == before
    assert (shown[-1]["stream"], shown[-1]["label"]) == ("tape", "piano")


def test_configuration_is_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whoplays.main(["serve", "configuration.toml", "--check"])
    out = capsys.readouterr().out
    assert "5 streams" in out
    for stream in ("hall", "stage", "remote", "radio", "tape"):
        assert stream in out


@pytest.mark.parametrize("card", ["model/card.json", "card-without-hysteresis.json"])
def test_model_with_irmas_codes_is_loaded(folder: Path, card: str) -> None:
    text = (folder / card).read_text()
    (folder / "model" / "card.json").write_text(text)
    recognizer = whoplays.Recognizer.load("model", "cpu")
    assert recognizer.labels == ("piano", "violin")
    assert tuple(recognizer.thresholds) == (0.5, 0.5)
    (probabilities,) = recognizer.recognize(sine(3.0).T[np.newaxis])
    assert [round(float(each), 2) for each in probabilities] == [0.99, 0.02]


@pytest.mark.parametrize("card", ["model/card.json", "card-without-hysteresis.json"])
def test_card_with_irmas_codes_is_shown(folder: Path, capsys: pytest.CaptureFixture[str], card: str) -> None:
    text = (folder / card).read_text()
    (folder / "model" / "card.json").write_text(text)
    whoplays.main(["models", "model"])
    out = capsys.readouterr().out
    assert "tiny 0.1" in out
    assert "violin" in out


def test_keys_encrypt_a_connection(folder: Path) -> None:
    listening = ("--model", "model", "--provider", "cpu", "--speed", "max", "--publish", "tcp://127.0.0.1:*")
    server = ("--keys", "keys/server.key_secret", "--allowed", "allowed")
    client = ("--keys", "keys/stage.key_secret", "--server-key", "keys/server.key")
    with running("listen", "tape.wav", *listening, *server, "--wait", "60") as publisher:
        assert publisher.stderr
        endpoint = publisher.stderr.readline().split()[-1]
        with running("watch", endpoint, *client, "--json", "--until-end") as subscriber:
            out, err = subscriber.communicate(timeout=PATIENCE_S)
        assert subscriber.returncode == 0, err
    assert {json.loads(line)["kind"] for line in out.splitlines()} == {"status", "window", "event", "end"}


def test_published_messages_are_decoded(folder: Path) -> None:
    recorded = lines_of(folder / "recording.jsonl")
    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.setsockopt(zmq.LINGER, 0)
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        with whoplays.Subscriber(f"tcp://127.0.0.1:{port}") as subscriber:
            assert publisher.poll(round(PATIENCE_S * 1000))
            for message in recorded:
                topic = f"whoplays/1/{message['stream']}/{message['kind']}/"
                publisher.send_multipart([topic.encode(), json.dumps(message).encode()])
            received = [json.loads(msgspec.json.encode(next(subscriber))) for _ in recorded]
    assert {message["kind"] for message in recorded} == {"status", "window", "event", "gap", "end"}
    for message, expected in zip(received, recorded, strict=True):
        assert message | expected == message


def test_sent_audio_is_received(folder: Path) -> None:
    frames = msgspec.msgpack.decode(zlib.decompress((folder / "sent.msgpack.zlib").read_bytes()))
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    options = ("--model", "model", "--provider", "cpu", "--json", "--no-publish")
    with (
        running("listen", f"zmq://{endpoint}", *options) as listener,
        zmq.Context() as context,
        context.socket(zmq.PUSH) as sender,
    ):
        sender.setsockopt(zmq.LINGER, 0)
        sender.connect(f"tcp://{endpoint}")
        for frame in frames:
            sender.send_multipart(frame)
        assert listener.stdout
        message = next(each for line in listener.stdout if (each := json.loads(line))["kind"] == "window")
    assert message["quality"]["lost_samples"] == 0
    assert message["active"] == {"piano": True, "violin": False}
