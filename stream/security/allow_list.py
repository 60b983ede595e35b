"""The folder of public keys whose owners may connect."""

import os
import tempfile
from pathlib import Path
from typing import Final

from whoplays.models.errors import OptionError
from whoplays.stream.security.key_files import PUBLIC_SUFFIX, files_in, read_public
from whoplays.stream.security.make_keys import check_name


class AllowList:
    """A folder with one public key file for each client that may connect.

    It is read at every handshake, so that a change counts at once. Who is connected stays so, even if revoked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def check(self) -> None:
        """Refuse a folder that is missing, or holds a file that is no public key.

        Raises:
            OptionError: see above.
        """
        try:
            there = self.folder.is_dir()
        except OSError as error:
            raise OptionError(f"{self.folder} cannot be read: {error.strerror}") from error
        if not there:
            raise OptionError(f"there is no folder {self.folder} of allowed keys; make it with whoplays keys allow")
        for path in self._files():
            read_public(path)

    def names(self) -> list[str]:
        """Who may connect.

        Raises:
            OptionError: the folder cannot be read.
        """
        return [path.stem for path in self._files()]

    def admits(self, key: bytes) -> bool:
        """Whether the owner of a public key, in Z85, may connect; a file that cannot be read admits nobody."""
        try:
            return any(_holds(path, key) for path in self._files())
        except OptionError:
            # The folder is being removed.
            return False

    def allow(self, public: Path, name: str) -> Path:
        """Let the owner of a public key connect.

        Args:
            public: the file with the key.
            name: what to call the owner.

        Raises:
            OptionError: the file or the name is of no use, or the name is taken by another key.
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
            raise OptionError(f"{path} holds another key; revoke {name} first, or give another --name")
        return path

    def revoke(self, name: str) -> Path:
        """Let somebody connect no more.

        Raises:
            OptionError: nobody of that name may connect, or the file cannot be removed.
        """
        check_name(name)
        path = self._path(name)
        try:
            path.unlink()
        except FileNotFoundError as error:
            known = ", ".join(self.names()) or "nobody"
            raise OptionError(f"{name} is not allowed in {self.folder}; allowed are: {known}") from error
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
    """Write a file so that nobody ever reads half of it."""
    descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".allowing-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    Path(partial).chmod(0o644)
    Path(partial).rename(path)
