"""What the daemon logs, and what it never does."""

import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from whoplays.stream.common.logging import configure, log
from whoplays.stream.common.uri import clean

SECRET = "S3cret"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def logged(monkeypatch: pytest.MonkeyPatch, *, form: bool | None, terminal: bool = False) -> io.StringIO:
    """Where lines go from now on."""
    out = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    configure(json=form)
    return out


def test_programs_get_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    out = logged(monkeypatch, form=None)
    log(stream="hall").info("source lost", after_s=2.5, streams=["hall", "foyer"], none=None, loud=True)
    log().warning("größer\nals erlaubt")
    first, second = map(json.loads, out.getvalue().splitlines())
    moment = datetime.fromisoformat(first.pop("timestamp"))
    assert timedelta(0) <= datetime.now(UTC) - moment < timedelta(minutes=1)
    assert first == {
        "level": "info",
        "event": "source lost",
        "stream": "hall",
        "after_s": 2.5,
        "streams": ["hall", "foyer"],
        "none": None,
        "loud": True,
    }
    assert (second["event"], second["level"]) == ("größer\nals erlaubt", "warning")


def test_a_text_of_others_controls_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = logged(monkeypatch, form=False)
    log(stream="\x1b[2J").info("lost\nlost", streams=["\x07"])
    (line,) = out.getvalue().splitlines()
    assert line.isprintable()


def test_people_get_colours_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    out = logged(monkeypatch, form=None, terminal=True)
    log(stream="hall").info("source lost")
    assert "\x1b[" in out.getvalue()
    assert re.search(r"source lost.*stream.*hall", out.getvalue())
    out = logged(monkeypatch, form=False)
    log(stream="hall").info("source lost")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z \[info +\] source lost +stream=hall\n", out.getvalue())
    out = logged(monkeypatch, form=True, terminal=True)
    log().info("source lost")
    assert json.loads(out.getvalue())["event"] == "source lost"


def test_what_only_developers_want_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = logged(monkeypatch, form=True)
    log().debug("a detail")
    assert out.getvalue() == ""


@pytest.mark.parametrize("form", [True, False])
def test_no_secret_comes_out_wherever_it_is(monkeypatch: pytest.MonkeyPatch, form: bool) -> None:
    uri = f"http://me:{SECRET}@radio.example:8000/live?token={SECRET}&rate=48000"
    out = logged(monkeypatch, form=form)
    bound = log(uri=uri)
    bound.info(
        f"lost {uri}: timed out", deep={"list": [(uri, {uri})], uri: 1}, error=ValueError(uri), data=uri.encode()
    )
    try:
        try:
            raise OSError(f"cannot open '{uri}'")
        except OSError as error:
            raise RuntimeError(f"{uri}, of all things") from error
    except RuntimeError:
        bound.exception("failed")
    text = out.getvalue()
    assert SECRET not in text
    assert "me:" not in text
    assert text.count("http://radio.example:8000/live?token=…&rate=48000") >= 8
    assert "RuntimeError" in text
    assert "of all things" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lost http://me:S3cret@h/live?token=abc: timed out", "lost http://h/live?token=…: timed out"),
        ("hls:http://me:S3cret@h/live", "hls:http://h/live"),
        ("http://me:S3@cret@h/live", "http://h/live"),
        ("rtsp://me:S3cret@[::1]:554/a", "rtsp://[::1]:554/a"),
        ("http://me:S3/cret@h/x", "http://h/x"),
        ("http://me:S3 cret@h/x y", "http://h/x y"),
        ("http://me:S3'cret@h/x", "http://h/x"),
        ("http://h/?token='S3cret'", "http://h/?token=…'"),
        ("{'a': 'http://me:S3cret@h', 'b': 1}", "{'a': 'http://h', 'b': 1}"),
        ("http://S3cret@h1 and http://me:S3cret@h2", "http://h1 and http://h2"),
        ("tcp://127.0.0.1:9460 is in use; ask me@example.org", "tcp://127.0.0.1:9460 is in use; ask me@example.org"),
        ("http://h:8000/live@2x", "http://2x"),
        ("device:Scarlett 2i2: no such thing", "device:Scarlett 2i2: no such thing"),
    ],
)
def test_addresses_are_shown_without_their_secrets(text: str, shown: str) -> None:
    assert clean(text) == shown


around = st.text(st.characters(codec="utf-8", exclude_characters="@"), max_size=20)


@given(around, st.sampled_from(["http", "rtsp", "rtp", "zmq", "https"]), st.sampled_from(" ,;.)('\"\n"), around)
@settings(max_examples=100)
def test_a_password_is_found_in_any_text(before: str, scheme: str, after: str, end: str) -> None:
    assert SECRET not in clean(f"{before}{scheme}://me:{SECRET}@stage.example/live{after}{end}")


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_can_be_logged(text: str) -> None:
    clean(text)
    clean(f"http://{text}")
