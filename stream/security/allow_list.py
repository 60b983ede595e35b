"""The folder of public keys whose owners may connect."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import zmq

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import allowed_folder
from whoplays.stream.security.keys import PUBLIC_SUFFIX, ZAP_DOMAIN, check_name, files_in, read_public, read_secret


class AllowList:
    """A folder with one public key file for each client that may connect.

    It is read at every handshake, so that a change counts at once. Who is connected stays so, even if revoked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._for_now: Final[set[bytes]] = set()

    def check(self) -> None:
        """Refuse a folder that is missing, or has a file that is not a public key.

        Raises:
            OptionError: see above.
        """
        try:
            found = self.folder.is_dir()
        except OSError as error:
            raise OptionError(f"{self.folder} cannot be read: {error.strerror}") from error
        if not found:
            raise OptionError(f"folder of allowed keys {self.folder} not found; make it with whoplays keys allow")
        for path in self._files():
            read_public(path)

    def names(self) -> list[str]:
        """The names of those who may connect.

        Raises:
            OptionError: the folder cannot be read.
        """
        return [path.stem for path in self._files()]

    def admits(self, key: bytes) -> bool:
        """Whether the owner of a public key, in Z85, may connect; a file that cannot be read admits no one."""
        if key in self._for_now:
            return True
        try:
            return any(_holds(path, key) for path in self._files())
        except OptionError:
            # The folder is being removed.
            return False

    @contextmanager
    def admitting(self, key: bytes) -> Iterator[None]:
        """Let the owner of a public key connect during the block, whatever is in the folder."""
        self._for_now.add(key)
        try:
            yield
        finally:
            self._for_now.discard(key)

    def allow(self, public: Path, name: str) -> Path:
        """Let the owner of a public key connect.

        Raises:
            OptionError: the file or the name cannot be used, or the name is taken by another key.
        """
        check_name(name)
        key = read_public(public)
        path = self._path(name)
        try:
            if not path.exists():
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _write_whole(path, public.read_bytes())
        except OSError as error:
            raise OptionError(f"cannot write {path}: {error.strerror}") from error
        if not _holds(path, key):
            raise OptionError(f"{path} has another key; revoke {name} first, or give another --name")
        return path

    def revoke(self, name: str) -> Path:
        """Allow a client no longer.

        Raises:
            OptionError: there is no such name, or the file cannot be removed.
        """
        check_name(name)
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError as error:
            known = ", ".join(self.names()) or "none"
            raise OptionError(f"key {name!r} not found in {self.folder}; it has: {known}") from error
        except OSError as error:
            raise OptionError(f"cannot remove {path}: {error.strerror}") from error
        return path

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{PUBLIC_SUFFIX}"

    def _files(self) -> list[Path]:
        return files_in(self.folder, PUBLIC_SUFFIX)


def _holds(path: Path, key: bytes) -> bool:
    try:
        return read_public(path) == key
    except OptionError:
        return False


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".allowing-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(partial).chmod(0o644)
    Path(partial).rename(path)


@dataclass(frozen=True)
class ServerKeys:
    """For the end that binds: its own secret key, and who may connect."""

    secret: bytes = field(repr=False)
    """In Z85, as all keys."""
    allowed: AllowList

    @classmethod
    def load(cls, keys: Path, allowed: Path) -> Self:
        """Read them.

        Raises:
            OptionError: a file or the folder is missing, damaged, or readable by others.
        """
        # While files can be opened; it loads asyncio, which only this needs.
        import zmq.auth.thread  # noqa: F401, PLC0415

        _, secret = read_secret(keys)
        clients = AllowList(allowed)
        clients.check()
        return cls(secret, clients)

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Set a socket up to be bound with these keys; without an authenticator it admits no client."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        # Otherwise, without an authenticator, the server's public key alone would admit.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def server_keys(keys: Path | None, allowed: Path | None) -> ServerKeys | None:
    """The keys by a command's options: none, a key file, or a key file and a folder of who may connect.

    Raises:
        OptionError: the folder is given without keys, or they cannot be used.
    """
    if keys is None:
        if allowed is not None:
            raise OptionError(f"allowed keys in {allowed} need keys; give keys, the file with the secret key, as well")
        return None
    return ServerKeys.load(keys, allowed or allowed_folder())


@contextmanager
def zap_authenticator(context: zmq.Context[zmq.Socket[bytes]], keys: ServerKeys | None) -> Iterator[None]:
    """Authenticate the clients of the bound sockets of a context; without keys, none are.

    It may be left in another thread than it was entered in, after those sockets were closed.
    """
    if keys is None:
        yield
        return
    from zmq.auth.thread import ThreadAuthenticator  # noqa: PLC0415  it loads asyncio, which only this needs

    authenticator = ThreadAuthenticator(context)
    authenticator.configure_curve_callback(ZAP_DOMAIN, _Authorization(keys.allowed))
    authenticator.start()
    try:
        yield
    finally:
        authenticator.stop()


class _Authorization:
    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed

    def callback(self, _domain: str, key: bytes) -> bool:
        return self._allowed.admits(key)
