"""The concert desk of docs/daemon.md as it is written: one console, a page, a lamp, a phone, a cable that fails."""

import json
import re
from pathlib import Path

import pytest

from tests.generated import DOCS
from tests.stream.daemon.daemon import serving
from tests.stream.daemon.feeding import Feed
from tests.stream.daemon.test_children import asked
from tests.stream.history.make_history import wait_for
from tests.stream.relay.test_mqtt import free_port
from tests.stream.relay.test_webhook import hooked

pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("pythonosc", reason="python-osc is not installed")

from tests.stream.relay.test_osc import receiving

STREAMS = {"piano", "violin", "cello", "woodwind", "brass", "drums", "voices", "hall"}


@pytest.mark.slow
def test_the_desk_of_the_page_works_as_it_is_written(tmp_path: Path) -> None:
    page = (DOCS / "daemon.md").read_text(encoding="utf-8").partition("### A concert desk")[2]
    text = page.partition("```toml\n")[2].partition("```")[0]
    page_port = free_port()
    with receiving() as (lamp, port), hooked() as (phone, url), Feed(channels=16) as console:
        for pattern, here in (
            (r"tcp://127\.0\.0\.1:9460", f"ipc://{tmp_path}/published"),
            (r"desk\.db", f"{tmp_path}/desk.db"),
            (r"port = 8765", f"port = {page_port}"),
            (r"127\.0\.0\.1:9000", f"127.0.0.1:{port}"),
            (r"https://phone\.example/whoplays", url),
            (r"rtp://239\.69\.0\.1:5004\?rate=48000&bits=24", console.uri),
            (r"for_s = 10\n", "for_s = 1\n"),
        ):
            text, count = re.subn(pattern, here, text)
            assert count == 1
        (tmp_path / "desk.toml").write_text(text)
        with serving(tmp_path / "desk.toml") as daemon:
            lamp.await_told("/whoplays/hall/state", "listening")
            wait_for(lambda: {each["stream"] for each in json.loads(asked(page_port) or "[]")} == STREAMS, 30)
            console.pause()
            lamp.await_told("/whoplays/violin/state", "stalled")
            lost = {json.loads(phone.next())["stream"] for _ in STREAMS}
            assert lost == STREAMS
            wait_for(lambda: alerts(page_port) == ["no audio"] * len(STREAMS), 10)
            console.resume()
            well = [json.loads(phone.next()) for _ in STREAMS]
            assert {alert["recovered"] for alert in well} == {True}
            assert daemon.end() == 0


def alerts(port: int) -> list[str]:
    """The rules that a page shows."""
    return [alert["rule"] for view in json.loads(asked(port)) for alert in view["alerts"]]
