from collections.abc import Callable
from pathlib import Path

import pytest

from stream.places import allowed_folder, history_file, keys_folder


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
