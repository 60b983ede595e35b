"""The daemon as a process of its own, with real files, sockets and signals."""

import json
import os
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import soundfile

import whoplays
from tests.stream.daemon.daemon import receive, serving, stream, windows_of, write
from tests.stream.daemon.feeding import Feed
from tests.stream.sources.recorder import wait_until
from whoplays.models.errors import WhoplaysError
from whoplays.stream.common.logging import log
from whoplays.stream.daemon.daemon import Daemon, Notifier
from whoplays.stream.pubsub.messages import Alert, End, Status
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.pubsub.subscriber import Subscriber

HOP = "hop_s = 0.5"


def test_a_reload_changes_what_changed_and_sigterm_ends_all(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "concert.toml"
    with Feed() as hall, Feed() as stage, Feed() as roof:
        streams = stream("hall", hall.uri, HOP) + stream(
            "stage", stage.uri, "thresholds = { violin = 0.9 }", 'sensitivity = "low"'
        )
        changed = stream("hall", hall.uri, HOP) + stream("roof", roof.uri, HOP) + stream("stage", stage.uri, HOP)
        kazoo = stream("more", hall.uri, "thresholds = { kazoo = 0.5 }")
        write(path, model, streams)
        with serving(path) as daemon, Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
            messages = receive(subscriber, lambda all_: bool(windows_of(all_, "hall") and windows_of(all_, "stage")))
            nested, long = f"x = {50_000 * '['}{50_000 * ']'}", f"x = {5_000 * '9'}"
            for mistaken in ("nonsense", nested, long, streams + kazoo, "[metrics]\n" + streams):
                write(path, model, mistaken)
                daemon.process.send_signal(signal.SIGHUP)
                assert daemon.logged("not reloaded; all goes on as before")["reason"]
            write(path, model, changed)
            daemon.process.send_signal(signal.SIGHUP)
            assert daemon.logged("reloaded")["streams"] == ["hall", "roof", "stage"]
            before = {message.session for message in messages}
            messages += receive(
                subscriber,
                lambda all_: all({w.session for w in windows_of(all_, name)} - before for name in ("roof", "stage")),
            )
            daemon.process.send_signal(signal.SIGTERM)
            messages += receive(subscriber, lambda all_: sum(isinstance(message, End) for message in all_) == 3)
            assert daemon.wait() == 0
    assert daemon.lines[-1]["event"] == "done"
    sessions = {name: {m.session for m in messages if m.stream == name} for name in ("hall", "stage", "roof")}
    assert {name: len(ids) for name, ids in sessions.items()} == {"hall": 1, "stage": 2, "roof": 1}
    assert {message.reason for message in messages if isinstance(message, End)} == {"stopped"}
    # Not one window of the stream that did not change is missing, and it lost nothing.
    windows = windows_of(messages, "hall")
    assert [window.start for window in windows] == [22_050 * k for k in range(len(windows))]
    statuses = [message for message in messages if isinstance(message, Status)]
    assert all(status.counters.lost_samples == 0 for status in statuses if status.stream == "hall")
    # What is given for a label holds; the sensitivity moves the other.
    first, second = dict.fromkeys(status.thresholds for status in statuses if status.stream == "stage")
    assert first == pytest.approx((0.7311, 0.9), abs=1e-4)
    assert second == (0.5, 0.5)
    assert subscriber.lost == 0


def test_an_alert_is_published_logged_counted_and_changed_by_a_reload(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "c.toml"
    extra = '[metrics]\naddress = "127.0.0.1:0"\n'
    lost = '[[alert]]\nwhen = "lost"\nfor_s = 1\nname = "microphone"\n'
    with Feed() as hall, serving(write(path, model, stream("hall", hall.uri, HOP), extra=extra)) as daemon:
        address = daemon.logged("metrics")["address"]
        with Subscriber(daemon.logged("publishing")["endpoint"]) as subscriber:
            daemon.logged("listening")
            write(path, model, stream("hall", hall.uri, HOP) + lost, extra=extra)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.logged("reloaded")
            hall.pause()
            assert daemon.logged("alert")["rule"] == "microphone"
            # With the next status.
            firing = 'whoplays_alerts_firing{stream="hall"} 1.0'
            wait_until(lambda: firing in fetch(f"http://{address}/metrics")[1])
            hall.resume()
            assert daemon.logged("alert recovered")["stream"] == "hall"
            messages = receive(subscriber, lambda all_: sum(isinstance(each, Alert) for each in all_) == 2)
            assert daemon.end() == 0
    alerts = [message for message in messages if isinstance(message, Alert)]
    assert [(alert.rule, alert.when, alert.recovered) for alert in alerts] == [
        ("microphone", "lost", False),
        ("microphone", "lost", True),
    ]
    told = [status.alerts for status in messages if isinstance(status, Status)]
    assert {alert.rule for alerts_ in told for alert in alerts_} == {"microphone"}
    assert subscriber.lost == 0


def test_history_metrics_and_health(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = f'[history]\npath = "{tmp_path}/history.db"\n[metrics]\naddress = "127.0.0.1:0"\n'
    path = tmp_path / "c.toml"
    with Feed() as hall, serving(write(path, model, stream("hall", hall.uri, HOP), extra=extra)) as daemon:
        address = daemon.logged("metrics")["address"]
        daemon.logged("violin enters")
        assert fetch(f"http://{address}/healthz") == (200, "ok")
        assert fetch(f"http://{address}/readyz") == (200, "ok")
        assert 'whoplays_windows_total{stream="hall"}' in fetch(f"http://{address}/metrics")[1]
        hall.pause()
        assert daemon.logged("stalled")["stream"] == "hall"
        assert fetch(f"http://{address}/readyz") == (503, "hall: stalled")
        assert daemon.end() == 0
    whoplays.main(["history", f"{tmp_path}/history.db", "--format", "json"])
    rows = capsys.readouterr().out.splitlines()
    assert {json.loads(row)["label"] for row in rows} == {"piano", "violin"}


def test_clips_of_entrances_are_recorded(tmp_path: Path, model: Path) -> None:
    clips = tmp_path / "clips"
    extra = f'[clips]\nfolder = "{clips}"\nmax_length_s = 3\n'
    with (
        Feed() as hall,
        serving(write(tmp_path / "c.toml", model, stream("hall", hall.uri, HOP), extra=extra)) as daemon,
    ):
        daemon.logged("violin enters")
        daemon.logged("violin leaves")
        assert daemon.end() == 0
    lines = (clips / "index.csv").read_text().splitlines()
    violins = [line for line in lines if "_violin.flac" in line.partition(",")[0]]
    assert violins
    for line in lines[1:]:
        assert soundfile.info(clips / line.partition(",")[0]).duration <= 3.0


def test_a_history_that_cannot_be_kept_is_unhealthy(tmp_path: Path, model: Path) -> None:
    database = tmp_path / "history.db"
    extra = f'[history]\npath = "{database}"\n[metrics]\naddress = "127.0.0.1:0"\n'
    with Feed() as hall, serving(write(tmp_path / "c.toml", model, stream("hall", hall.uri), extra=extra)) as daemon:
        address = daemon.logged("metrics")["address"]
        daemon.logged("listening")
        assert fetch(f"http://{address}/healthz") == (200, "ok")
        for file in tmp_path.glob("history.db*"):
            file.unlink()
        database.mkdir()
        assert "was removed or replaced" in daemon.logged("history")["trouble"]
        assert "cannot write the history" in daemon.logged("history")["trouble"]
        status, text = fetch(f"http://{address}/healthz")
        assert (status, text.startswith(f"cannot write the history in {database}")) == (503, True)
        database.rmdir()
        assert "again" in daemon.logged("history")["trouble"]
        assert fetch(f"http://{address}/healthz") == (200, "ok")
        assert daemon.end() == 0


def fetch(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


def test_an_address_or_path_that_cannot_be_used_is_refused_with_its_key(tmp_path: Path, model: Path) -> None:
    path = tmp_path / "c.toml"
    with Publisher("tcp://127.0.0.1:*") as publisher, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for key, extra, endpoint in (
            ("publish", "", publisher.endpoint),
            ("history.path", '[history]\npath = "/proc/x/history.db"', "tcp://127.0.0.1:*"),
            ("metrics.address", f'[metrics]\naddress = "{address}"', "tcp://127.0.0.1:*"),
        ):
            write(path, model, stream("hall", "device:"), extra=extra, endpoint=endpoint)
            with pytest.raises(WhoplaysError) as refusal:
                Daemon(path, log()).run()
            assert str(refusal.value).startswith(f"{path}: {key}: ")


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_gets_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"whoplays-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}" if abstract else name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, Notifier() as notifier:
        manager.bind(f"\0{name}" if abstract else name)
        manager.settimeout(10)
        assert notifier.send("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "/nowhere/notify"])
def test_without_a_service_manager_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    with Notifier() as notifier:
        assert not notifier.send("READY=1")


@pytest.mark.parametrize(
    ("limit_us", "owner", "watchdog_s"),
    [
        ("", "", 0.0),
        ("30000000", "", 30.0),
        ("30000000", "own", 30.0),
        ("30000000", "1", 0.0),
        ("x", "", 0.0),
    ],
)
def test_the_watchdog_is_ours_or_none(
    limit_us: str, owner: str, watchdog_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit_us)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if owner == "own" else owner)
    with Notifier() as notifier:
        assert notifier.watchdog_s == watchdog_s
