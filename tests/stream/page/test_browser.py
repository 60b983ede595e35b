"""The page in a real browser: a concert is sent and recognised, and what happens is seen."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.stream.page.test_server import ask, serving
from tests.stream.sources.ffmpeg.servers import free_port
from tests.stream.tiny_model import LOUD, STEPS, write_tiny_model

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.slow
SECOND = 44_100


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "whoplays", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def drawn(page: "Page", colour: str) -> int:
    """How many pixels of the timeline are of a colour of the page."""
    count = page.evaluate(
        """(name) => {
            const probe = document.createElement("i");
            probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
            document.body.append(probe);
            const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
            probe.remove();
            const canvas = document.querySelector("canvas"), close = (a, b) => Math.abs(a - b) < 3;
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            let found = 0;
            for (let at = 0; at < pixels.length; at += 4)
                if (pixels[at + 3] > 250 && wanted.every((value, k) => close(pixels[at + k], value))) found += 1;
            return found;
        }""",
        colour,
    )
    return int(count)


def test_a_concert_is_seen_and_so_is_the_loss_of_its_sender(browser: "Browser", tmp_path: Path) -> None:
    """The model's violin, a sine in the right channel, plays from 6 s on; then the sender is killed."""
    model = write_tiny_model(tmp_path / "model", frames=STEPS)
    audio = np.random.default_rng(1).normal(0, 0.01, (60 * SECOND, 2))
    audio[6 * SECOND :, 1] += LOUD * np.sin(np.arange(54 * SECOND) * 2 * np.pi * 440 / SECOND)
    soundfile.write(tmp_path / "concert.wav", audio, SECOND)
    publisher, to = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    complaints: list[str] = []
    with ExitStack() as stack:
        page_port = stack.enter_context(serving(publisher))
        page = browser.new_page(viewport={"width": 1000, "height": 420})
        page.on("console", lambda message: complaints.extend([message.text] if message.type == "error" else []))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{page_port}/")
        stack.enter_context(
            running("listen", f"zmq://{to}", "--publish", publisher, "--model", str(model), "--hop", "0.5")
        )
        sender = stack.enter_context(running("send", str(tmp_path / "concert.wav"), f"tcp://{to}"))
        page.wait_for_selector(".playing li[data-label=violin]", timeout=60_000)
        seen_ns = time.time_ns()
        (stream,) = json.loads(ask(page_port, "/api/now").body)
        # Two seconds, and room for a machine that has more to do.
        assert seen_ns - stream["playing"][0]["since_ns"] < 4_000_000_000
        page.wait_for_timeout(2_000)
        assert drawn(page, "plays") > 10
        assert drawn(page, "warns") == 0
        sender.kill()
        page.wait_for_selector(".state:has-text('lost')", timeout=30_000)
        page.wait_for_timeout(2_000)
        assert drawn(page, "warns") > 5
        assert page.locator(".playing li").count() == 0
        page.click("summary")
        page.wait_for_selector("text=gap (network)", timeout=5_000)
        assert "1 gaps" in (page.get_attribute("canvas", "aria-label") or "")
        page.click("text=1 h")
        assert page.get_attribute("text=1 h", "aria-pressed") == "true"
        page.focus("canvas")
        page.keyboard.press("ArrowLeft")
        assert page.get_attribute("#now", "aria-pressed") == "false"
    assert complaints == []
