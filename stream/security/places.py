"""Where keys are kept unless something else is said."""

import os
from pathlib import Path


def keys_folder() -> Path:
    """The folder of one's own key pairs."""
    return _configuration() / "keys"


def allowed_folder() -> Path:
    """The folder of the public keys whose owners may connect."""
    return _configuration() / "allowed"


def _configuration() -> Path:
    # An empty or relative XDG_CONFIG_HOME is to be ignored: XDG Base Directory Specification.
    configured = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".config") / "whoplays"
