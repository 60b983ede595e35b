"""Making key pairs."""

import os
import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from zmq.auth import create_certificates

from whoplays.models.errors import OptionError
from whoplays.stream.security.key_files import PUBLIC_SUFFIX, SECRET_SUFFIX


class PairFiles(NamedTuple):
    """Where a key pair lies."""

    public: Path
    secret: Path


def make_keys(name: str, folder: Path) -> PairFiles:
    """Make a CURVE key pair: `NAME.key` and, readable by its owner alone, `NAME.key_secret`; never over another.

    Args:
        name: letters, digits, dots, dashes, underscores.
        folder: made if it is not there, for its owner alone.

    Raises:
        OptionError: the name makes no sense, there is such a pair already, or the folder cannot be written.
    """
    check_name(name)
    files = PairFiles(folder / f"{name}{PUBLIC_SUFFIX}", folder / f"{name}{SECRET_SUFFIX}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(name, folder, files)
    except OSError as error:
        if isinstance(error, FileExistsError) and folder.is_dir():
            raise OptionError(f"there is a key pair {name} in {folder} already; give another name") from error
        raise OptionError(f"cannot write keys into {folder}: {error.strerror}") from error
    return files


def check_name(name: str) -> None:
    """Refuse what cannot be a key's name.

    Raises:
        OptionError: it has other characters, or is too long for a file.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise OptionError(f"key name {name!r} makes no sense; use letters, digits, dots, dashes, underscores")


def _make(name: str, folder: Path, files: PairFiles) -> None:
    # Made in a folder that is private from the start, and linked from there, which never replaces a file.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as private:
        public, secret = map(Path, create_certificates(private, name))
        secret.chmod(0o600)
        public.chmod(0o644)
        if files.public.exists():
            raise FileExistsError(files.public)
        os.link(secret, files.secret)
        os.link(public, files.public)
