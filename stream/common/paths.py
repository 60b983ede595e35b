"""Where things are kept unless something else is said: the folders of the XDG Base Directory Specification."""

import os
from pathlib import Path

from whoplays.models.errors import OptionError


def keys_folder() -> Path:
    """The folder of one's own key pairs."""
    return _configuration() / "keys"


def allowed_folder() -> Path:
    """The folder of the public keys whose owners may connect."""
    return _configuration() / "allowed"


def history_file() -> Path:
    """The database of the history."""
    return _folder("XDG_STATE_HOME", ".local/state") / "history.db"


def expanded(path: str) -> Path:
    """A path with the home folder in place of `~`, or of `~` and a user's name, at its beginning.

    Raises:
        OptionError: nobody knows that home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise OptionError(f"{path} names a home folder that is not known; give the whole path") from error


def _configuration() -> Path:
    return _folder("XDG_CONFIG_HOME", ".config")


def _folder(variable: str, otherwise: str) -> Path:
    configured = Path(os.environ.get(variable, ""))
    # One that is empty or relative is to be ignored.
    return (configured if configured.is_absolute() else _home(variable) / otherwise) / "whoplays"


def _home(variable: str) -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise OptionError(f"there is no home folder; set HOME, or {variable} to a folder to use instead") from error
