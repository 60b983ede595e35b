from collections.abc import Callable
from pathlib import Path

import pytest

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import allowed_folder, expanded, history_file, keys_folder


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
