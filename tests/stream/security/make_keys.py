"""Key pairs to test with."""

from pathlib import Path
from typing import NamedTuple

from whoplays.stream.security.allow_list import AllowList, ServerKeys
from whoplays.stream.security.keys import ClientKeys, make_keys


class Keyring(NamedTuple):
    """A server with an empty folder of allowed clients, and the files of three pairs."""

    folder: Path
    allowed: AllowList

    def public(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def secret(self, name: str) -> Path:
        return self.folder / f"{name}.key_secret"

    def server(self) -> ServerKeys:
        return ServerKeys.load(self.secret("hall"), self.allowed.folder)

    def client(self, name: str, server: str = "hall") -> ClientKeys:
        return ClientKeys.load(self.secret(name), self.public(server))

    def allow(self, name: str) -> None:
        self.allowed.allow(self.public(name), name)


def make_keyring(folder: Path) -> Keyring:
    for name in ("hall", "stage", "stranger"):
        make_keys(name, folder / "keys")
    (folder / "allowed").mkdir()
    return Keyring(folder / "keys", AllowList(folder / "allowed"))
