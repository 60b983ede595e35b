"""Where things are kept unless something else is said: the folders of the XDG Base Directory Specification."""

import re
import stat
from pathlib import Path
from typing import Final

from platformdirs.unix import Unix

from whoplays.models.errors import OptionError

_FOLDERS: Final = Unix("whoplays")


def keys_folder() -> Path:
    """The folder of one's own key pairs."""
    return _folder("CONFIG") / "keys"


def allowed_folder() -> Path:
    """The folder of the public keys whose owners may connect."""
    return _folder("CONFIG") / "allowed"


def history_file() -> Path:
    """The database of the history."""
    return _folder("STATE") / "history.db"


def expanded(path: str) -> Path:
    """A path with the home folder in place of `~`, or of `~` and a user's name, at its beginning.

    Raises:
        OptionError: there is no such home folder, or the path holds a zero byte, which no path can.
    """
    if "\0" in path:
        raise OptionError(f"path must hold no zero byte, got {path!r}")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise OptionError(f"home folder of {path} not found; give the whole path") from error


def _folder(kind: str) -> Path:
    try:
        return _FOLDERS.user_config_path if kind == "CONFIG" else _FOLDERS.user_state_path
    except RuntimeError as error:
        raise OptionError(f"home folder not found; set HOME, or XDG_{kind}_HOME to a folder to use instead") from error


def check_regular(path: Path) -> None:
    """Refuse what is no file, before it is opened: opening a pipe would wait for its writer for ever.

    Raises:
        OSError: it is not there, or cannot be looked at.
        ValueError: it is neither a file nor a folder, which says so itself when it is opened.
    """
    if not (path.is_dir() or stat.S_ISREG(path.stat().st_mode)):
        raise ValueError("it is not a regular file")


def slug(name: str) -> str:
    """A label as it stands in addresses, topics and names of files.

    >>> slug("acoustic guitar")
    'acoustic_guitar'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "_"
