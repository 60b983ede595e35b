"""Recordings by HTTP and in object stores: 127.0.0.1 stands for the open internet, 127.0.0.2 for a private address."""

import csv
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from whoplays.models.errors import SourceError
from whoplays.stream.archive.recordings import find_recordings, shown, stamp
from whoplays.stream.archive.remote import local_copy, name_of
from whoplays.stream.sources.ffmpeg import proxy

ENDLESS = "states no length; follow a stream with whoplays listen"


class Handler(BaseHTTPRequestHandler):
    """Serves one recording under every name, whole or not."""

    def __init__(self, *arguments: object, clip: bytes, asked: list[str]) -> None:
        self._clip = clip
        self._asked = asked
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        port = str(self.headers["Host"]).rpartition(":")[2]
        self._asked.append(f"{self.headers['Host'].partition(':')[0]}{self.path}")
        name = self.path.rpartition("/")[2].partition("?")[0]
        if name.startswith("to-"):
            self.send_response(302)
            self.send_header("Location", f"http://{name.removeprefix('to-')}:{port}/clip.wav")
            self.end_headers()
            return
        locked = name == "locked.wav" and self.headers["Authorization"] != "Basic bWU6c2VjcmV0"
        self.send_response(404 if name == "missing.wav" else 401 if locked else 200)
        if name != "endless.wav":
            self.send_header("Content-Length", str(len(self._clip)))
        self.end_headers()
        self.wfile.write(self._clip[: 1_000_000 if name == "cut.wav" else None])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def site(concert: Path, asked: list[str]) -> Iterator[str]:
    """The address of a server, on every loopback address."""
    handler = partial(Handler, clip=concert.read_bytes(), asked=asked)
    with ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def label(*arguments: str | Path, data: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "whoplays", "label", *map(str, arguments)]
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return subprocess.run(
        command, input=data, capture_output=True, text=True, check=False, timeout=120, env=clean | environment
    )


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_recordings_by_http_are_labelled_like_files(
    site: str, asked: list[str], concert: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    secret = site.replace("http://", "http://me:secret@")
    listed = f"{secret}/key/locked.wav?token=abc\n{site}/a/clip.wav\n{site}/b/clip.wav\n{concert}\n"
    options = ("-", "--out", out, "--model", model, "--format", "csv", "--format", "jsonl")
    done = label(*options, data=listed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "secret" not in done.stdout + (out / "files.csv").read_text() + (out / "locked.wav.jsonl").read_text()
    local = (out / "concert.wav.csv").read_text()
    assert len(local.splitlines()) > 1
    remote = sorted(path for path in out.glob("*.csv") if path.name not in {"events.csv", "files.csv"})
    assert [path.read_text() for path in remote] == [local] * 4
    # Two of one name are told apart, in their files and in the tables.
    assert len({row["file"] for row in table(out / "files.csv")}) == 4
    asked.clear()
    again = label(*options, data=listed)
    assert (again.returncode, again.stdout) == (0, "")
    assert len(asked) == 3


def test_what_cannot_be_had_is_one_line_each(site: str, model: Path, tmp_path: Path) -> None:
    names = ("missing", "cut", "endless", "locked")
    done = label(*(f"{site}/{name}.wav" for name in names), "--out", tmp_path, "--model", model)
    assert done.returncode == 1
    told = {Path(row["file"].partition("#")[0]).stem: row["error"] for row in table(tmp_path / "files.csv")}
    assert "the server answers 404" in told["missing"]
    assert "ended after 1000000 of" in told["cut"]
    assert ENDLESS in told["endless"]
    assert "the server answers 401" in told["locked"]
    assert list(tmp_path.glob("*.wav.csv")) == []


@pytest.mark.parametrize("no_proxy", ["", "127.0.0.2"])
def test_a_redirect_from_the_open_internet_leads_to_no_private_address(
    site: str, asked: list[str], monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    with local_copy(f"{site}/to-127.0.0.2") as path:  # from a private address, wherever it says
        assert path.stat().st_size > 0
    monkeypatch.setattr(proxy, "_is_global", lambda address: str(address) == "127.0.0.1")
    asked.clear()
    with pytest.raises(SourceError, match=r"it leads to 127\.0\.0\.2, which is not on the open internet"):
        local_copy(f"{site}/to-127.0.0.2").__enter__()
    assert asked == ["127.0.0.1/to-127.0.0.2"]
    with local_copy(f"{site}/to-127.0.0.1"):
        pass


def test_addresses_have_names_within_the_folder_and_are_shown_without_secrets() -> None:
    assert name_of("http://a/b/c%2F..%2Fd.flac?token=1") == "d.flac"
    assert name_of("http://a/..") == name_of("http://a") == "recording"
    one, two = find_recordings(["https://a/x/c.flac", "https://a/y/c.flac"])
    assert one.name != two.name
    assert one.name.startswith("c.flac-")
    assert shown("https://me:secret@a/key/c.flac?token=1").startswith("https://a/…/c.flac?token=…#")
    assert shown("s3://music/may/c.flac") == "s3://music/may/c.flac"
    with pytest.raises(SourceError, match="recordings must be files, or addresses that begin with abfs://, gs://"):
        find_recordings(["rtsp://a/b"])


@contextmanager
def bucket() -> Iterator[tuple[Any, dict[str, str]]]:
    """An empty bucket of an object store, and what a client needs to know of that."""
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    obstore = pytest.importorskip("obstore", reason="obstore is not installed")
    pytest.importorskip("obstore.store", reason="obstore is not installed")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with build_opener(ProxyHandler({})).open(Request(f"http://{host}:{port}/music", method="PUT"), timeout=30):
            pass
        yield (
            obstore.store.S3Store(
                "music",
                endpoint=f"http://{host}:{port}",
                region="us-east-1",
                client_options={"allow_http": True},
                access_key_id="someone",
                secret_access_key="secret",
            ),
            {
                "AWS_ENDPOINT_URL": f"http://{host}:{port}",
                "AWS_ALLOW_HTTP": "true",
                "AWS_REGION": "us-east-1",
                "AWS_ACCESS_KEY_ID": "someone",
                "AWS_SECRET_ACCESS_KEY": "secret",
            },
        )
    finally:
        server.stop()


def test_recordings_in_an_object_store_are_labelled_like_files(concert: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    with bucket() as (store, environment):
        for name in ("may/one.wav", "may/deep/two.wav", "june/one.wav", "may/notes.txt"):
            store.put(name, concert.read_bytes())
        places = ("s3://music/may", "s3://music/june/*.wav", "s3://music/may/one.wav")
        options = ("--out", out, "--model", model)
        done = label(*places, "s3://music/none.wav", *options, **environment)
        assert done.returncode == 1
        told = {row["file"]: row["error"] for row in table(out / "files.csv")}
        assert told.pop("s3://music/none.wav") == "s3://music/none.wav not found"
        assert told == dict.fromkeys(
            ("s3://music/may/deep/two.wav", "s3://music/may/one.wav", "s3://music/june/one.wav"), ""
        )
        local = label(concert, "--out", tmp_path / "local", "--model", model)
        assert local.returncode == 0
        assert (out / "deep" / "two.wav.csv").read_text() == (tmp_path / "local" / "concert.wav.csv").read_text()
        assert label(*places, *options, **environment).stdout == ""
        store.put("june/one.wav", concert.read_bytes() + bytes(400))
        changed = label(*places, *options, **environment).stdout.splitlines()
        assert [json.loads(line)["file"] for line in changed] == ["s3://music/june/one.wav"]
        refused = label("s3://nobody/x", *options, **environment)
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert line.startswith("whoplays: s3://nobody/")


def test_what_reads_an_object_store_is_named_if_it_is_missing(tmp_path: Path) -> None:
    script = "import sys; sys.modules['obstore.fsspec'] = None; import whoplays; whoplays.main(['label', 's3://a/b'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "s3:// needs obstore; install whoplays[objects]" in done.stderr
    assert done.returncode != 0


def test_a_recording_that_cannot_be_had_now_is_another_later(site: str, concert: Path) -> None:
    (recording,) = find_recordings([f"{site}/clip.wav"])
    assert stamp(recording) == stamp(recording)
    assert stamp(recording) != stamp(recording._replace(place=f"{site}/missing.wav"))
