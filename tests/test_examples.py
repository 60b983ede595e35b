"""The examples, and the subscribers that the documents show, receive from a real publisher."""

import itertools
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

import whoplays
from tests.stream.history.make_history import make_event, make_window
from tests.stream.make_messages import make_end, make_gap, make_status
from tests.stream.tiny_model import STEPS, write_tiny_model
from whoplays.stream.pubsub.messages import End, Event, Message, Playing, State, Status, encode
from whoplays.stream.pubsub.publisher import Publisher
from whoplays.stream.security.allow_list import ServerKeys
from whoplays.stream.security.keys import make_keys

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "examples" / "subscriber.c"
PAGE = (ROOT / "docs" / "subscribers.md").read_text(encoding="utf-8")
FILTERS = re.findall(r"^whoplays watch .* \| jq -c --unbuffered '(.*)'$", PAGE, re.MULTILINE)
JOIN_S = 60.0
ENTRANCE = Event(
    stream="hall", session="one", seq=0, published_ns=1, id=0, label="violin", phase="start", at=88_200, peak=0.9
)
LAST = End(stream="hall", session="one", seq=0, published_ns=1, reason="stopped", detail="", final=132_300)
GAP = msgspec.structs.replace(make_gap(0), start=44_100, end=66_150)


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher("tcp://127.0.0.1:*") as publisher:
        yield publisher


PYTHON_PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
LAMP = ROOT / "examples" / "lamp.py"
SNIPPETS = [each for each in re.findall(r"^```python\n(.*?)^```", PYTHON_PAGE, re.M | re.S) if "class Lamp" not in each]


def publish_concerts(publisher: Publisher, finished: threading.Event) -> None:
    """The violin enters and leaves over and over, each time in a session of its own."""
    for number in itertools.count():
        session = f"concert {number}"
        for message in (
            msgspec.structs.replace(make_status(0, session=session), playing=()),
            make_window(0, session=session),
            make_event(0, "start", 0, "violin", session=session),
            make_gap(0, session=session),
            make_end(0, session=session),
        ):
            publisher.send(message)
            if finished.wait(0.001):
                return


@pytest.mark.parametrize(
    ("snippet", "shown"),
    [
        *zip(
            SNIPPETS,
            [
                "piano start",
                '"kind":"end"',
                "hall: violin enters",
                "(stream='hall'",
                "[('violin', 0)]",
                "",
                "event",
                "violin start",
                "session='concert",
                "'violin'",
                "(1, 2)",
                "file missing.wav not found",
            ],
            strict=True,
        )
    ],
)
def test_python_page_shows_what_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], snippet: str, shown: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stream").symlink_to(ROOT / "stream")
    write_tiny_model(tmp_path / "my-model", frames=STEPS)
    own, _ = make_keys("hall", tmp_path / "keys"), make_keys("lamp", tmp_path / "keys")
    keys = ServerKeys.load(own.secret, tmp_path / "keys") if "ClientKeys" in snippet else None
    finished = threading.Event()
    with Publisher("tcp://127.0.0.1:*", keys=keys) as publisher, ThreadPoolExecutor(1) as pool:
        pool.submit(publish_concerts, publisher, finished)
        try:
            exec(snippet.replace("tcp://127.0.0.1:9460", publisher.endpoint), {"whoplays": whoplays})
        finally:
            finished.set()
    assert shown in capsys.readouterr().out


def test_python_page_shows_the_lamp_as_it_is() -> None:
    assert f"```python\n{LAMP.read_text(encoding='utf-8')}```" in PYTHON_PAGE


def test_lamp_is_on_while_the_violin_plays_and_knows_when_it_cannot_know(publisher: Publisher) -> None:
    violin = (Playing(id=0, label="violin", since=0, since_ns=1),)
    whole = make_window(2, session="two")
    lossy = msgspec.structs.replace(whole, quality=msgspec.structs.replace(whole.quality, lost_samples=1))

    def status(state: State = "listening", playing: tuple[Playing, ...] = (), session: str = "one") -> Status:
        return msgspec.structs.replace(make_status(0, session=session), state=state, playing=playing)

    steps: list[tuple[Message, str]] = [
        (make_status(0), "unknown"),  # of an older publisher, which does not say
        (status(playing=violin), "on"),
        (status(), "off"),
        (make_event(0, "start", 0, "violin"), "on"),
        (make_event(1, "start", 0, "piano"), ""),
        (make_gap(0), "unknown"),
        (status(playing=violin), ""),
        (make_window(1), ""),
        (status(playing=violin), "on"),
        (status("silent"), "off"),
        (make_event(2, "start", 9, "violin"), "on"),
        (status("connecting", session="two"), "unknown"),
        (lossy, ""),
        (make_event(0, "start", 9, "violin", session="two"), ""),
        (whole, ""),
        (status(playing=violin, session="two"), "on"),
        (make_event(0, "end", 9, "violin", session="two"), "off"),
        (status("stalled", violin, session="two"), "unknown"),
        (status("listening", violin, session="two"), "on"),
        (status("lost", session="two"), "unknown"),
    ]
    seq = Counter[tuple[str, str]]()
    command = [sys.executable, str(LAMP), publisher.endpoint, "hall", "violin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lamp:
        try:
            assert lamp.stdout
            assert publisher.wait_for_subscriber(JOIN_S)
            for message, state in steps:
                count = (message.session, message.kind)
                publisher.send(msgspec.structs.replace(message, seq=seq[count]))
                seq[count] += 1
                if state:
                    assert lamp.stdout.readline() == f"violin: {state}\n", message
            publisher.send(msgspec.structs.replace(status("listening", violin, session="two"), seq=9))
            # What was lost before it is told first, and then nothing is published for three seconds.
            assert [lamp.stdout.readline() for _ in range(2)] == ["violin: on\n", "violin: unknown\n"]
        finally:
            lamp.kill()


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in C, built as its head says, and strictly."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("gcc is not installed")
    program = tmp_path_factory.mktemp("client") / "subscriber"
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    try_header = [compiler, "-E", "-include", "zmq.h", "-x", "c", "/dev/null", "-o", "/dev/null"]
    if subprocess.run(try_header, capture_output=True, check=False).returncode:
        pytest.skip("libzmq3-dev is not installed")
    subprocess.run([compiler, *flags, "-o", str(program), str(SOURCE), "-lzmq"], check=True)
    return program


def test_the_page_shows_the_client_as_it_is() -> None:
    assert f"```c\n{SOURCE.read_text(encoding='utf-8')}```" in PAGE


def test_a_client_in_c_hears_every_message(client: Path, publisher: Publisher) -> None:
    said: list[Message] = [make_status(0), ENTRANCE, GAP, LAST]
    with subprocess.Popen([client, publisher.endpoint], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in said:
            publisher.send(message)
        assert [process.stdout.readline() for _ in said] == [encode(message) + b"\n" for message in said]
        process.kill()


def test_a_client_in_c_hears_one_topic(client: Path, publisher: Publisher) -> None:
    with subprocess.Popen([client, publisher.endpoint, "whoplays/1/hall/event/"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert publisher.wait_for_subscriber(JOIN_S)
        other = msgspec.structs.replace(ENTRANCE, stream="hall2")
        for message in (make_status(0), other, GAP, ENTRANCE):
            publisher.send(message)
        assert process.stdout.readline() == encode(ENTRANCE) + b"\n"
        process.kill()


def test_a_client_in_c_says_what_is_no_address(client: Path) -> None:
    done = subprocess.run([client, "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "nonsense: Invalid argument\n")


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize(
    ("jq_filter", "shown"),
    list(zip(FILTERS, [["hall", 2, "violin", "start"], ["hall", "overload", 0.5]], strict=True)),
)
def test_jq_hears_what_the_page_promises(publisher: Publisher, jq_filter: str, shown: list[object]) -> None:
    command = [sys.executable, "-m", "whoplays", "watch", publisher.endpoint, "--json", "--until-end"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE) as watch,
        subprocess.Popen(["jq", "-c", "--unbuffered", jq_filter], stdin=watch.stdout, stdout=subprocess.PIPE) as jq,
    ):
        assert publisher.wait_for_subscriber(JOIN_S)
        for message in (make_status(0), ENTRANCE, GAP, LAST):
            publisher.send(message)
        out, _ = jq.communicate(timeout=JOIN_S)
    assert [json.loads(line) for line in out.splitlines()] == [shown]
    assert watch.returncode == 0
