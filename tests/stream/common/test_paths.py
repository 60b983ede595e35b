import os
from collections.abc import Callable
from pathlib import Path

import pytest

from whoplays.models.errors import OptionError, WhoplaysError
from whoplays.stream.common.paths import allowed_folder, expanded, history_file, keys_folder
from whoplays.stream.history.messages import is_history
from whoplays.stream.page.options import read_token
from whoplays.stream.pubsub.recording import read_recording
from whoplays.stream.relay.relay import read_short


@pytest.mark.parametrize(
    ("place", "variable", "folder", "path"),
    [
        (keys_folder, "XDG_CONFIG_HOME", ".config", "whoplays/keys"),
        (allowed_folder, "XDG_CONFIG_HOME", ".config", "whoplays/allowed"),
        (history_file, "XDG_STATE_HOME", ".local/state", "whoplays/history.db"),
    ],
)
def test_a_place_is_the_users_unless_the_system_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, place: Callable[[], Path], variable: str, folder: str, path: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(variable, "/elsewhere")
    assert place() == Path("/elsewhere") / path
    for nowhere in ("", "relative"):
        monkeypatch.setenv(variable, nowhere)
        assert place() == Path("/home/me") / folder / path
    monkeypatch.delenv(variable)
    assert place() == Path("/home/me") / folder / path


def test_a_path_is_as_the_shell_would_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expanded("~/keys/hall") == Path("/home/me/keys/hall")
    assert expanded("keys/hall") == Path("keys/hall")
    with pytest.raises(OptionError, match=r"home folder of ~nobody-such/x not found; give the whole path"):
        expanded("~nobody-such/x")


def test_without_a_home_a_place_has_to_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    with pytest.raises(OptionError, match="home folder not found; set HOME, or XDG_STATE_HOME"):
        history_file()
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert keys_folder() == Path("/elsewhere/whoplays/keys")


@pytest.mark.parametrize(
    ("read", "refusal"),
    [
        (read_token, "token file .* cannot be read: it is not a regular file"),
        (lambda path: read_short(str(path), "secret"), "secret file .* cannot be read: it is not a regular file"),
        (lambda path: list(read_recording(path)), "cannot be read: it is not a regular file"),
    ],
)
def test_a_pipe_that_nobody_writes_into_is_not_waited_for(
    tmp_path: Path, read: Callable[[Path], object], refusal: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WhoplaysError, match=refusal):
        read(tmp_path / "pipe")
    assert not is_history(tmp_path / "pipe")
