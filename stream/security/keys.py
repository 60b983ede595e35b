"""The keys that either end of a connection needs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import zmq

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import allowed_folder
from whoplays.stream.security.allow_list import AllowList
from whoplays.stream.security.key_files import read_public, read_secret

ZAP_DOMAIN = "whoplays"


@dataclass(frozen=True)
class ServerKeys:
    """For the end that binds: its own secret key, and who may connect."""

    secret: bytes = field(repr=False)
    """In Z85, as all keys."""
    allowed: AllowList

    @classmethod
    def load(cls, keys: Path, allowed: Path) -> Self:
        """Read them.

        Args:
            keys: the secret key file.
            allowed: the folder with the public key files of those who may connect.

        Raises:
            OptionError: a file or the folder is missing, damaged, or readable by others.
        """
        _, secret = read_secret(keys)
        clients = AllowList(allowed)
        clients.check()
        return cls(secret, clients)

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket one that is to be bound with these keys, and that admits nobody if nobody decides."""
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt_string(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        # Otherwise, without an authenticator, the server's public key alone would admit.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


@dataclass(frozen=True)
class ClientKeys:
    """For the end that connects: its own pair, and whom it means to reach."""

    public: bytes
    """In Z85, as all keys."""
    secret: bytes = field(repr=False)
    server: bytes

    @classmethod
    def load(cls, keys: Path, server_key: Path) -> Self:
        """Read them.

        Args:
            keys: the secret key file.
            server_key: the server's public key file.

        Raises:
            OptionError: a file is missing, damaged, or readable by others.
        """
        public, secret = read_secret(keys)
        return cls(public, secret, read_public(server_key))

    def apply(self, socket: zmq.Socket[bytes]) -> None:
        """Make a socket one that is to be connected with these keys."""
        socket.setsockopt(zmq.CURVE_PUBLICKEY, self.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        socket.setsockopt(zmq.CURVE_SERVERKEY, self.server)


def server_keys(keys: Path | None, allowed: Path | None) -> ServerKeys | None:
    """The keys by a command's options: none, a key file, or a key file and a folder of who may connect.

    Raises:
        OptionError: the folder is given without keys, or they are of no use.
    """
    if keys is None:
        if allowed is not None:
            raise OptionError(
                f"whom {allowed} allows decides only with keys; give keys, the file with the secret key, as well"
            )
        return None
    return ServerKeys.load(keys, allowed or allowed_folder())


def client_keys(keys: Path | None, server_key: Path | None) -> ClientKeys | None:
    """The keys by a command's options: both files, or neither.

    Raises:
        OptionError: only one is given, or they are of no use.
    """
    if keys is None and server_key is None:
        return None
    if keys is None or server_key is None:
        missing = "--keys with your own secret key" if keys is None else "--server-key with the server's public key"
        raise OptionError(f"encryption needs keys of both ends; give {missing} as well")
    return ClientKeys.load(keys, server_key)
