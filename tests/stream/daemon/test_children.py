"""The page and the relays beside `serve`: they are told what it publishes, restarted, and ended in time."""

import json
import os
import re
import signal
import socket
import time
import urllib.request
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.generated import DOCS
from tests.stream.daemon.daemon import DaemonProcess, serving, stream, write
from tests.stream.daemon.feeding import Feed
from tests.stream.history.make_history import wait_for
from tests.stream.relay.test_mqtt import free_port
from tests.stream.relay.test_webhook import hooked
from whoplays.models.errors import OptionError
from whoplays.stream.daemon.children import Child, Children
from whoplays.stream.daemon.config import read_config
from whoplays.stream.relay.options import WebhookOptions
from whoplays.stream.relay.webhook import SIGNATURE, WebhookTarget
from whoplays.stream.security.keys import make_keys

pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("pythonosc", reason="python-osc is not installed")

from tests.stream.relay.test_osc import receiving


def children(daemon: DaemonProcess) -> dict[str, int]:
    """By what it is, the process ids of the daemon's children that are commands."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = re.search(r"^PPid:\t(\d+)", (folder / "status").read_text(), re.MULTILINE)
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if parent and int(parent[1]) == daemon.process.pid and "whoplays.stream.daemon.child" in words:
            found[words[words.index("whoplays.stream.daemon.child") + 1]] = int(folder.name)
    return found


@pytest.mark.slow
def test_page_and_relays_are_told_by_keys_of_their_own_and_end_in_time(tmp_path: Path, model: Path) -> None:
    own, page_port = make_keys("hall", tmp_path / "keys"), free_port()
    (tmp_path / "allowed").mkdir()
    with receiving() as (desk, port), hooked() as (hook, url), Feed() as feed:
        extra = f"""
[security]
mode = "required"
keys = "{own.secret}"
allowed = "{tmp_path / "allowed"}"
[page]
port = {page_port}
[[relay]]
kind = "osc"
target = "127.0.0.1:{port}"
rate = 20
[[relay]]
kind = "webhook"
target = "{url}"
"""
        config = write(tmp_path / "c.toml", model, stream("hall", feed.uri), extra=extra)
        with serving(config) as daemon:
            daemon.logged("publishing")
            assert daemon.logged("page")["text"] == f"http://127.0.0.1:{page_port}/"
            desk.await_told("/whoplays/hall/state", "listening")
            assert json.loads(hook.next())["kind"] == "event"
            wait_for(lambda: "hall" in asked(page_port), 20)
            before = children(daemon)
            assert before.keys() == {"page", "relay"}
            # Whoever ends is started again.
            kill(before["page"])
            wait_for(lambda: children(daemon).get("page", before["page"]) != before["page"], 20)
            wait_for(lambda: "hall" in asked(page_port), 20)
            config.write_text(config.read_text().replace("rate = 20", "rate = 10"))
            daemon.process.send_signal(signal.SIGHUP)
            reason = daemon.logged("not reloaded; all goes on as before")["reason"]
            assert reason.endswith("relay cannot be changed while serving; restart for it")
            last, began_s = children(daemon), time.monotonic()
            assert daemon.end() == 0
            assert time.monotonic() - began_s < 5
            assert not [pid for pid in last.values() if Path("/proc", str(pid)).exists()]


def test_they_end_when_the_daemon_is_killed(tmp_path: Path, model: Path) -> None:
    extra = '[[relay]]\nkind = "osc"\ntarget = "127.0.0.1:9"\n'
    with Feed() as feed, serving(write(tmp_path / "c.toml", model, stream("hall", feed.uri), extra=extra)) as daemon:
        daemon.logged("publishing")
        wait_for(lambda: "relay" in children(daemon), 20)
        relay = children(daemon)["relay"]
        daemon.process.kill()
        wait_for(lambda: not Path("/proc", str(relay)).exists(), 20)


def test_what_they_say_again_and_again_is_logged_once() -> None:
    log, watch, port = Mock(), Mock(), free_port()
    watch.run = lambda _name, work, _stopped: work()
    with (
        socket.create_server(("127.0.0.1", port)),
        Children([Child("page", ("page", f"--port={port}"))], log, watch) as run,
    ):
        run.start("tcp://127.0.0.1:9", None)
        seen: set[int] = set()

        def started() -> int:
            seen.update(process.pid for process in run._processes.values())
            return len(seen)

        # The second one says the same before the third is started.
        wait_for(lambda: started() > 2, 30)
    first, second = (each.kwargs["text"] for each in log.warning.call_args_list)
    assert first.startswith(f"the page cannot be served on 127.0.0.1:{port}: Address already in use")
    assert second == "ended with status 1; it is started again"


def test_each_outage_that_one_tells_of_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says the same of the second as of the first."""
    lines = ["broker: connection lost", "broker: reached again", "broker: connection lost"]
    script = tmp_path / "child"
    script.write_text("#!/bin/sh\n" + "".join(f"echo '{line}' >&2\n" for line in lines))
    script.chmod(0o755)
    monkeypatch.setattr("whoplays.stream.daemon.children.sys.executable", str(script))
    log, run = Mock(), Children([], Mock(), Mock())
    run._log = log  # type: ignore[misc]
    run._run("relay", ["mqtt"], frozenset())
    told = [each.kwargs["text"] for each in log.warning.call_args_list]
    assert told == [*lines, "ended with status 0; it is started again"]


def asked(port: int) -> str:
    """The streams of a page; nothing while it is not there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/streams", timeout=5) as answer:
            text: str = answer.read().decode()
    except OSError:
        return ""
    return text


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("extra", "mistake"),
    [
        ('[[relay]]\nkind = "osc"\n', "relay 1: target is missing; add it to [[relay]]"),
        ('[[relay]]\nkind = "fax"\ntarget = "x"\n', "relay 1: kind must be mqtt, osc or webhook, got 'fax'"),
        (
            '[[relay]]\nkind = "osc"\ntarget = "desk"\n',
            "relay 1: target must be like desk.example:9000, got 'desk'",
        ),
        (
            '[[relay]]\nkind = "osc"\ntarget = "desk:9000"\ndiscovery = "x"\n',
            "relay 1: discovery is an option of mqtt, not of osc",
        ),
        (
            '[[relay]]\nkind = "mqtt"\ntarget = "mqtt://x"\npassword_file = "none"\n',
            "relay 1: password_file: password file none cannot be read: No such file or directory",
        ),
        (
            '[page]\nhost = "0.0.0.0"\n',
            "page: 0.0.0.0 can be reached by others: add token_file, or insecure if a proxy asks who they are",
        ),
        ("[page]\nport = 0\n", "page.port must be between 1 and 65535, got 0"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, extra: str, mistake: str) -> None:
    path = write(tmp_path / "c.toml", tmp_path, stream("hall", "device:"), extra=extra)
    with pytest.raises(OptionError) as refusal:
        read_config(path)
    assert str(refusal.value) == f"{path}: {mistake}"


PAGE = (DOCS / "relays.md").read_text(encoding="utf-8")


def test_the_example_on_the_page_is_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "hook.secret").write_text("0123456789abcdef")
    (tmp_path / "c.toml").write_text(example)
    config = read_config(tmp_path / "c.toml")
    assert [relay.kind for relay in config.relay] == ["osc", "webhook"]
    assert config.relay[1].arguments == ["--secret-file=hook.secret", "--alerts-only"]


def test_the_receiver_on_the_page_knows_our_signature() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    target = WebhookTarget(WebhookOptions("http://localhost/", "0123456789abcdef"))
    assert names["is_ours"]("0123456789abcdef", b"{}", target._headers(b"{}")[SIGNATURE])
    assert not names["is_ours"]("another secret 1", b"{}", target._headers(b"{}")[SIGNATURE])
