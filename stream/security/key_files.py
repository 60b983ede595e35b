"""Key files: the certificates of ZeroMQ (ZPL), a public `NAME.key` and a secret `NAME.key_secret`."""

import stat
import struct
from pathlib import Path
from typing import Final, NamedTuple

import zmq
from zmq.auth import load_certificate
from zmq.utils import z85

from whoplays.models.errors import OptionError

PUBLIC_SUFFIX: Final = ".key"
SECRET_SUFFIX: Final = ".key_secret"  # noqa: S105  it is no password
KEY_CHARACTERS: Final = 40
LONGEST_FILE_BYTES: Final = 65_536


class Certificate(NamedTuple):
    """What a key file holds; keys are in Z85, 40 characters each."""

    public: bytes
    secret: bytes | None


def read_public(path: Path) -> bytes:
    """The public key in a public key file.

    Raises:
        OptionError: there is none, it is no key file, or it holds a secret that does not belong there.
    """
    certificate = _read(path)
    if certificate.secret is not None:
        public = path.with_suffix(PUBLIC_SUFFIX).name
        raise OptionError(f"{path} holds a secret key, which never leaves its machine; give the public one, {public}")
    return certificate.public


def read_secret(path: Path) -> tuple[bytes, bytes]:
    """The public and the secret key in a secret key file.

    Raises:
        OptionError: there is none, it holds no secret key, or others can read it.
    """
    certificate = _read(path)
    if certificate.secret is None:
        raise OptionError(f"{path} holds no secret key; give the file that ends with {SECRET_SUFFIX}")
    if zmq.curve_public(certificate.secret) != certificate.public:
        raise OptionError(f"{path} is damaged: its public key is not that of its secret key; make another pair")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OptionError(f"{path} holds a secret key that others can read; run: chmod 600 {path}")
    return certificate.public, certificate.secret


def files_in(folder: Path, suffix: str) -> list[Path]:
    """The key files in a folder, by name; none if there is no such folder.

    Raises:
        OptionError: it cannot be read.
    """
    try:
        return sorted(path for path in folder.glob(f"*{suffix}") if not path.name.startswith("."))
    except OSError as error:
        raise OptionError(f"{folder} cannot be read: {error.strerror}") from error


def _read(path: Path) -> Certificate:
    try:
        # load_certificate would read a file of any size to its end.
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise ValueError("it is too long")
        certificate = Certificate(*load_certificate(path))
    except OSError as error:
        raise OptionError(f"the key file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError) as error:
        raise OptionError(f"{path} is no key file: {error}; make one with whoplays keys make") from error
    if not all(_is_key(key) for key in certificate if key is not None):
        raise OptionError(f"{path} is damaged: its key is none; make another with whoplays keys make")
    return certificate


def _is_key(key: bytes) -> bool:
    if len(key) != KEY_CHARACTERS:
        return False
    try:
        return len(z85.decode(key)) == 32
    except (KeyError, struct.error):
        return False
