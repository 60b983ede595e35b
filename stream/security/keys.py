"""The keys that either end of a connection needs."""

import os
import re
import stat
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

import zmq
from zmq.auth import create_certificates, load_certificate
from zmq.utils import z85

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import check_regular

PUBLIC_SUFFIX: Final = ".key"
SECRET_SUFFIX: Final = ".key_secret"  # noqa: S105  it is no password
KEY_CHARACTERS: Final = 40
LONGEST_FILE_BYTES: Final = 65_536


class Certificate(NamedTuple):
    """The content of a key file; keys are in Z85, 40 characters each."""

    public: bytes
    secret: bytes | None


def read_public(path: Path) -> bytes:
    """The public key in a public key file.

    Raises:
        OptionError: it cannot be read, is not a key file, or holds a secret that does not belong there.
    """
    certificate = _read(path)
    if certificate.secret is not None:
        public = path.with_suffix(PUBLIC_SUFFIX).name
        raise OptionError(f"{path} holds a secret key, which never leaves its machine; give the public one, {public}")
    return certificate.public


def read_secret(path: Path) -> tuple[bytes, bytes]:
    """The public and the secret key in a secret key file.

    Raises:
        OptionError: it cannot be read, has no secret key, or others can read it.
    """
    certificate = _read(path)
    if certificate.secret is None:
        raise OptionError(f"{path} has no secret key; give the file that ends with {SECRET_SUFFIX}")
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
        check_regular(path)
        # load_certificate would read a file of any size to its end.
        if path.stat().st_size > LONGEST_FILE_BYTES:
            raise ValueError("it is too long")
        certificate = Certificate(*load_certificate(path))
    except OSError as error:
        raise OptionError(f"the key file {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, IndexError) as error:
        raise OptionError(f"{path} is not a key file: {error}; make one with whoplays keys make") from error
    if not all(_is_key(key) for key in certificate if key is not None):
        raise OptionError(f"{path} is damaged: its key is malformed; make another with whoplays keys make")
    return certificate


def _is_key(key: bytes) -> bool:
    if len(key) != KEY_CHARACTERS:
        return False
    try:
        return len(z85.decode(key)) == 32
    except (KeyError, struct.error):
        return False


class PairFiles(NamedTuple):
    """The files of a key pair."""

    public: Path
    secret: Path


def make_keys(name: str, folder: Path) -> PairFiles:
    """Make a CURVE key pair: `NAME.key` and, readable by its owner alone, `NAME.key_secret`; never over another.

    Args:
        name: letters, digits, dots, dashes, underscores.
        folder: made if it is not there, for its owner alone.

    Raises:
        OptionError: the name is malformed, there is such a pair already, or the folder cannot be written.
    """
    check_name(name)
    files = PairFiles(folder / f"{name}{PUBLIC_SUFFIX}", folder / f"{name}{SECRET_SUFFIX}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make(name, folder, files)
    except OSError as error:
        if isinstance(error, FileExistsError) and folder.is_dir():
            raise OptionError(f"key pair {name!r} exists already in {folder}; give another name") from error
        raise OptionError(f"cannot write keys into {folder}: {error.strerror}") from error
    return files


def check_name(name: str) -> None:
    """Refuse a malformed name of a key.

    Raises:
        OptionError: it has other characters than letters, digits, dots, dashes and underscores, or too many.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", name):
        raise OptionError(f"key name must be up to 100 letters, digits, dots, dashes or underscores, got {name!r}")


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


def write_public(path: Path, key: bytes) -> None:
    """Write a file with a public key."""
    path.write_text(f'metadata\ncurve\n    public-key = "{key.decode("ascii")}"\n', encoding="ascii")


ZAP_DOMAIN = "whoplays"


@dataclass(frozen=True)
class ClientKeys:
    """For the end that connects: its own pair, and the public key of the server."""

    public: bytes
    """In Z85, as all keys."""
    secret: bytes = field(repr=False)
    server: bytes

    @classmethod
    def load(cls, keys: Path, server_key: Path) -> Self:
        """Read them.

        Raises:
            OptionError: a file is missing, damaged, or readable by others.
        """
        public, secret = read_secret(keys)
        return cls(public, secret, read_public(server_key))

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Set a socket up to connect with these keys."""
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server)


def client_keys(keys: Path | None, server_key: Path | None) -> ClientKeys | None:
    """The keys by a command's options: both files, or neither.

    Raises:
        OptionError: only one is given, or they cannot be used.
    """
    if keys is None and server_key is None:
        return None
    if keys is None or server_key is None:
        missing = "--keys with your own secret key" if keys is None else "--server-key with the server's public key"
        raise OptionError(f"encryption needs keys of both ends; give {missing} as well")
    return ClientKeys.load(keys, server_key)
