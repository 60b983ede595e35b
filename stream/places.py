"""Where things are kept unless something else is said: the folders of the XDG Base Directory Specification."""

import os
from pathlib import Path


def keys_folder() -> Path:
    """The folder of one's own key pairs."""
    return _configuration() / "keys"


def allowed_folder() -> Path:
    """The folder of the public keys whose owners may connect."""
    return _configuration() / "allowed"


def history_file() -> Path:
    """The database of the history."""
    return _folder("XDG_STATE_HOME", ".local/state") / "history.db"


def _configuration() -> Path:
    return _folder("XDG_CONFIG_HOME", ".config")


def _folder(variable: str, otherwise: str) -> Path:
    configured = Path(os.environ.get(variable, ""))
    # One that is empty or relative is to be ignored.
    return (configured if configured.is_absolute() else Path.home() / otherwise) / "whoplays"
