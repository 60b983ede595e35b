import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

import whoplays
from tests.stream.conftest import make_concert
from whoplays.models.errors import EndpointError
from whoplays.stream.cli.demo import demo


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A concert that does not take long in real time: both play."""
    soundfile.write(tmp_path / "clip.wav", make_concert(44_100)[3 * 44_100 : 6 * 44_100 + 10_000], 44_100)
    return tmp_path / "clip.wav"


def test_a_subscriber_in_another_process_shows_what_it_receives(
    clip: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whoplays.main(["demo", str(clip), "--model", str(model)])
    shown = capfd.readouterr().out
    assert "piano enters" in shown
    assert "violin enters" in shown
    assert "demo: finished after 0:03.2" in shown


def test_ctrl_c_ends_it_in_both_processes(concert: Path, model: Path) -> None:
    """A terminal sends the signal to every process of the group."""
    command = [sys.executable, "-m", "whoplays", "demo", str(concert), "--model", str(model)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as process:
        try:
            assert process.stdout
            assert "recognised by tiny" in process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert "demo: stopped after" in out


def test_its_subscriber_ends_with_it_however_that_ends(concert: Path, model: Path) -> None:
    command = [sys.executable, "-m", "whoplays", "demo", str(concert), "--model", str(model)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            process.stdout.readline()
        finally:
            process.kill()
        # The subscriber has the pipe as well, and closes it by ending.
        process.communicate(timeout=20)


def test_it_fails_without_its_subscriber(clip: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "false")
    monkeypatch.setattr("whoplays.stream.cli.demo.JOIN_S", 0.2)
    with pytest.raises(EndpointError, match="did not connect"):
        demo(clip, model=str(model))
