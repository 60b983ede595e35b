"""The subscribers that the documents show hear a real publisher."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.stream.make_messages import make_gap, make_status
from whoplays.stream.pubsub.messages import End, Event, Message, encode
from whoplays.stream.pubsub.publisher import Publisher

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "docs" / "examples" / "subscriber.c"
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
