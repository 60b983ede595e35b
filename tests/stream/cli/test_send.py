"""`whoplays send` and `whoplays keys` as users run them."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

import whoplays
from tests.stream.sources.remote.packets import endpoint_of, recording
from whoplays.stream.audio.block import Audio

WHOPLAYS = (sys.executable, "-m", "whoplays")


@contextmanager
def sending(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    command = [*WHOPLAYS, "send", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def read(path: Path) -> Audio:
    audio: Audio = soundfile.read(path, dtype="float32", always_2d=True)[0].T
    return audio


def run(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    whoplays.main(arguments)
    return capfd.readouterr().out


def complaint(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error with which the command fails."""
    with pytest.raises(SystemExit) as leaving:
        whoplays.main(arguments)
    assert leaving.value.code
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("whoplays: ")
    return line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_a_proper_end(concert: Path, number: signal.Signals) -> None:
    began_s = time.monotonic()
    with recording() as recorder, sending(concert, endpoint_of(recorder)) as process:
        recorder.wait_for_samples(11_025)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
        recorder.join()
    assert process.returncode == 0
    assert f"whoplays: connected to {recorder.source.endpoint}" in errors.splitlines()
    assert errors.splitlines()[-1].endswith(" s sent, 0.0 s dropped; ended")
    assert "Traceback" not in errors
    assert str(recorder.error).startswith("the sender of concert.wav left")
    # In real time, and to the last sample that had been played.
    assert recorder.samples() / 44_100 < time.monotonic() - began_s
    np.testing.assert_array_equal(recorder.audio(), read(concert)[:, : recorder.samples()])


def test_a_killed_sender_that_starts_again_begins_a_session(concert: Path) -> None:
    with recording() as recorder:
        for session in (0, 1):
            with sending(concert, endpoint_of(recorder), "--format", "f32le"):
                recorder.wait_for_samples(8_820, session)
    for session in (0, 1):
        np.testing.assert_array_equal(recorder.audio(session)[:, :8_820], read(concert)[:, :8_820])


def test_a_pipe_is_sent_whole_and_other_channels_are_chosen() -> None:
    frames = np.arange(-20_000, 20_000, dtype="<i2").reshape(-1, 2)
    with recording() as recorder:
        command = [*WHOPLAYS, "send", "-", endpoint_of(recorder), "--channels", "2,1"]
        subprocess.run(command, input=frames.tobytes(), check=True, timeout=30, capture_output=True)
        recorder.join()
    np.testing.assert_array_equal(recorder.audio() * 2**15, frames[:, ::-1].T)


def test_keys_from_nothing_to_a_sender_that_is_received(
    concert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    keys, allowed = tmp_path / "whoplays" / "keys", tmp_path / "whoplays" / "allowed"
    assert f"secret: {keys}/hall.key_secret" in run(["keys", "make", "hall"], capfd)
    run(["keys", "make", "stage"], capfd)
    assert run(["keys", "allow", f"{keys}/stage.key"], capfd) == f"allowed: {allowed}/stage.key\n"
    with recording(f"zmq://127.0.0.1:0?keys={keys}/hall.key_secret") as recorder:
        own = ("--keys", keys / "stage.key_secret", "--server-key", keys / "hall.key")
        with sending(concert, endpoint_of(recorder), *own):
            recorder.wait_for_samples(4410)
    assert run(["keys", "revoke", "stage"], capfd) == f"revoked: {allowed}/stage.key\n"


def test_keys_are_listed_and_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, allowed = ["--folder", str(tmp_path / "own")], ["--allowed", str(tmp_path / "allowed")]
    run(["keys", "make", "hall", *folder], capfd)
    run(["keys", "make", "stage", *folder], capfd)
    run(["keys", "allow", str(tmp_path / "own" / "stage.key"), "--name", "left", *allowed], capfd)
    shown = run(["keys", "show", "stage", *folder], capfd)
    key = shown.splitlines()[0].removeprefix("key: ")
    (tmp_path / "own" / "hall.key_secret").chmod(0o644)
    hall, stage, left = run(["keys", "list", *folder, *allowed], capfd).splitlines()
    assert hall.startswith("own")
    assert "chmod 600" in hall
    assert stage.split() == ["own", "stage", key]
    assert left.split() == ["allowed", "left", key]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("send missing.wav tcp://127.0.0.1:9461", "file missing.wav not found"),
        (
            "send CONCERT nowhere",
            "address to connect to must be like tcp://127.0.0.1:9460 or ipc://PATH, got 'nowhere'",
        ),
        ("send CONCERT tcp://127.0.0.1:9461 --keys missing", "give --server-key"),
        (
            "send CONCERT tcp://127.0.0.1:9461 --channels left",
            "channels must be one or more numbers between 1 and 64, or all",
        ),
        ("send CONCERT tcp://127.0.0.1:9461 --format mp3", "Choose from"),
        ("listen zmq://*:9461 --no-publish", "zmq://*:9461 is open to the network"),
        ("listen CONCERT --keys missing", "the key file missing cannot be read"),
        ("listen CONCERT --allowed missing", "give keys, the file with the secret key, as well"),
        ("watch --keys missing", "give --server-key"),
        ("keys make a/b", "key name must be up to 100 letters"),
        ("keys make hall --folder /proc/none", "cannot write keys into /proc/none"),
        ("keys make hall --folder CONCERT", "cannot write keys into "),
        ("keys show hall --folder nowhere", "the key file nowhere/hall.key_secret cannot be read"),
        ("keys allow nothing.key --allowed nowhere", "the key file nothing.key cannot be read"),
        (f"keys list --folder {300 * 'x'}", "xxx cannot be read: File name too long"),
        (f"keys list --folder nowhere --allowed {300 * 'x'}", "xxx cannot be read: File name too long"),
        ("keys revoke hall --allowed nowhere", "key 'hall' not found in nowhere; it has: none"),
    ],
)
def test_each_mistake_gives_one_clear_line(
    concert: Path, capfd: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert message in complaint(arguments.replace("CONCERT", str(concert)).split(), capfd)
