"""The daemon as a process of its own, with real files, sockets and signals."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.stream.daemon.daemon import receive, serving, stream, told, write
from tests.stream.daemon.feeding import Feed
from whoplays.stream.pubsub.messages import End, Status
from whoplays.stream.pubsub.subscriber import Subscriber


def test_two_streams_are_served_and_sigterm_ends_them_with_a_word(tmp_path: Path, model: Path) -> None:
    with Feed() as hall, Feed() as stage:
        streams = stream("hall", hall.uri, "hop_s = 0.5") + stream("stage", stage.uri, "thresholds = { violin = 0.9 }")
        with serving(write(tmp_path / "concert.toml", model, streams)) as daemon:
            endpoint = daemon.logged("publishing")["endpoint"]
            with Subscriber(endpoint) as subscriber:
                receive(subscriber, lambda all_: bool(told(all_, "hall") and told(all_, "stage")))
                daemon.process.send_signal(signal.SIGTERM)
                ends = receive(subscriber, lambda all_: sum(isinstance(m, End) for m in all_) == 2)
            assert daemon.wait() == 0
    assert {message.reason for message in ends if isinstance(message, End)} == {"stopped"}
    thresholds = {m.stream: m.thresholds for m in ends if isinstance(m, Status)}
    assert thresholds == {"hall": (0.5, 0.5), "stage": (0.5, 0.9)}
    assert daemon.lines[-1]["event"] == "done"


@pytest.mark.slow
def test_a_reload_leaves_what_did_not_change_alone(tmp_path: Path, model: Path) -> None:
    with Feed() as hall, Feed() as stage, Feed() as roof:
        path = write(tmp_path / "concert.toml", model, stream("hall", hall.uri) + stream("stage", stage.uri))
        with serving(path) as daemon, Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
            before = receive(subscriber, lambda all_: bool(told(all_, "hall") and told(all_, "stage")))
            changed = stream("hall", hall.uri) + stream("roof", roof.uri) + stream("stage", stage.uri, "hop_s = 1.0")
            write(path, model, changed)
            daemon.process.send_signal(signal.SIGHUP)
            assert daemon.logged("reloaded")["streams"] == ["hall", "roof", "stage"]
            after = receive(
                subscriber,
                lambda all_: bool(told(all_, "roof") and told(all_, "hall") and len(told(all_, "stage")) > 2),
            )
            assert daemon.end() == 0
    messages = before + after
    sessions = {name: {m.session for m in messages if m.stream == name} for name in ("hall", "stage", "roof")}
    assert {name: len(ids) for name, ids in sessions.items()} == {"hall": 1, "stage": 2, "roof": 1}
    # Not one window of the stream that did not change is missing, and it lost nothing.
    windows = told(messages, "hall")
    assert [window.start for window in windows] == [132_300 * k for k in range(len(windows))]
    assert all(m.counters.lost_samples == 0 for m in messages if isinstance(m, Status) and m.stream == "hall")
    assert subscriber.lost == 0


def test_a_reload_that_makes_no_sense_changes_nothing(tmp_path: Path, model: Path) -> None:
    with Feed() as hall:
        path = write(tmp_path / "concert.toml", model, stream("hall", hall.uri))
        with serving(path) as daemon, Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
            for text in ("nonsense", stream("hall", hall.uri, "thresholds = { kazoo = 0.5 }"), "[metrics]\n"):
                write(path, model, text if text == "nonsense" else text + stream("more", hall.uri))
                daemon.process.send_signal(signal.SIGHUP)
                assert daemon.logged("not reloaded; all goes on as before")["reason"]
            messages = receive(subscriber, lambda all_: len(told(all_, "hall")) >= 1)
            assert {message.stream for message in messages} == {"hall"}
            assert daemon.end() == 0


@pytest.mark.slow
def test_history_metrics_and_health(tmp_path: Path, model: Path) -> None:
    extra = f'[history]\npath = "{tmp_path}/history.db"\n[metrics]\naddress = "127.0.0.1:0"\n'
    with Feed() as hall, serving(write(tmp_path / "c.toml", model, stream("hall", hall.uri), extra=extra)) as daemon:
        address = daemon.logged("metrics")["address"]
        daemon.logged("violin enters")
        assert fetch(f"http://{address}/healthz") == (200, "ok")
        assert fetch(f"http://{address}/readyz") == (200, "ok")
        assert 'whoplays_windows_total{stream="hall"}' in fetch(f"http://{address}/metrics")[1]
        hall.pause()
        assert daemon.logged("stalled")["stream"] == "hall"
        assert fetch(f"http://{address}/readyz") == (503, "hall: stalled")
        assert daemon.end() == 0
    command = [sys.executable, "-m", "whoplays", "history", f"{tmp_path}/history.db", "--format", "json"]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {json.loads(row)["label"] for row in rows} == {"piano", "violin"}


@pytest.mark.parametrize(
    ("streams", "complaint"),
    [
        (
            stream("hall", "gopher://x"),
            "c.toml: stream hall: source: source must be a file or an address that begins with device:",
        ),
        (stream("hall", "missing.wav"), "c.toml: stream hall: source: there is no file missing.wav"),
        (
            stream("hall", "device:", "thresholds = { kazoo = 0.5 }"),
            "c.toml: stream hall: thresholds: tiny knows no 'kazoo'; it knows piano",
        ),
        (
            stream("hall", "device:", "thresholds = { piano = 2.0 }"),
            "c.toml: stream hall: thresholds: 2 for piano makes no sense; give more than 0",
        ),
        (
            stream("hall", "device:", "thresholds = { piano = 0 }"),
            "c.toml: stream hall: thresholds: 0 for piano makes no sense; give more than 0",
        ),
        (stream("hall", "device:").replace("MODEL", "tuba"), "c.toml: stream hall: model: no model 'tuba'"),
        (stream("hall", "device:").replace('"cpu"', '"abacus"'), "stream hall: provider: unknown provider 'abacus'"),
    ],
)
def test_a_check_finds_what_makes_no_sense(tmp_path: Path, model: Path, streams: str, complaint: str) -> None:
    done = check(write(tmp_path / "c.toml", model, streams))
    assert done.returncode == 1
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_check_of_what_makes_sense_says_so(tmp_path: Path, model: Path, concert: Path) -> None:
    done = check(write(tmp_path / "c.toml", model, stream("hall", str(concert)) + stream("stage", "device:USB")))
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 streams (hall, stage)" in done.stdout
    assert ": 1 stream (hall), " in check(write(tmp_path / "c.toml", model, stream("hall", str(concert)))).stdout


def check(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "whoplays", "serve", str(config), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()
