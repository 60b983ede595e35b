"""`whoplays keys`: key pairs, and which public keys are allowed."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import allowed_folder, keys_folder
from whoplays.stream.common.terminal import printable
from whoplays.stream.security.allow_list import AllowList
from whoplays.stream.security.keys import PUBLIC_SUFFIX, SECRET_SUFFIX, files_in, make_keys, read_public, read_secret

Folder = Annotated[Path | None, Parameter(name="--folder")]
Allowed = Annotated[Path | None, Parameter(name="--allowed")]

app = App(name="keys", help="Make key pairs, and set which public keys may connect.")


@app.command
def make(name: str, /, *, folder: Folder = None) -> None:
    """Make a key pair: NAME.key, to hand out, and NAME.key_secret, which stays where it is.

    Args:
        name: What to call it, such as the machine's name.
        folder: Where to keep it; whoplays/keys in the configuration folder unless given.
    """
    files = make_keys(name, folder or keys_folder())
    print(f"public: {files.public}\nsecret: {files.secret}")


@app.command(name="list")
def list_keys(*, folder: Folder = None, allowed: Allowed = None) -> None:
    """List one's own key pairs, and the allowed keys.

    Args:
        folder: Where the pairs are kept.
        allowed: The folder with the allowed keys.
    """
    for path in files_in(folder or keys_folder(), SECRET_SUFFIX):
        print(printable(f"own      {path.stem:<20} {_shown(path)}"))
    clients = AllowList(allowed or allowed_folder())
    for name in clients.names():
        print(printable(f"allowed  {name:<20} {_shown(clients.folder / f'{name}{PUBLIC_SUFFIX}')}"))


@app.command
def show(name: str, /, *, folder: Folder = None) -> None:
    """Show the public key of one's own pair, and its files.

    Args:
        name: The pair's name.
        folder: Where it is kept.
    """
    secret = (folder or keys_folder()) / f"{name}{SECRET_SUFFIX}"
    public, _ = read_secret(secret)
    print(f"key: {public.decode('ascii')}\npublic: {secret.with_suffix(PUBLIC_SUFFIX)}\nsecret: {secret}")


@app.command
def allow(public: Path, /, *, allowed: Allowed = None, name: str | None = None) -> None:
    """Let the owner of a public key connect, at once.

    Args:
        public: The file with the public key.
        allowed: The folder with the allowed keys; whoplays/allowed in the configuration folder unless given.
        name: What to call the owner; the file's name unless given.
    """
    path = AllowList(allowed or allowed_folder()).allow(public, name or public.stem)
    print(f"allowed: {path}")


@app.command
def revoke(name: str, /, *, allowed: Allowed = None) -> None:
    """Allow a client no longer; a connection that is up stays until it ends.

    Args:
        name: The client's name, as `whoplays keys list` shows it.
        allowed: The folder with the allowed keys.
    """
    path = AllowList(allowed or allowed_folder()).revoke(name)
    print(f"revoked: {path}")


def _shown(path: Path) -> str:
    """The public key in a file of either kind, or why it cannot be used."""
    try:
        key = read_secret(path)[0] if path.suffix == SECRET_SUFFIX else read_public(path)
    except OptionError as error:
        return f"! {error}"
    return key.decode("ascii")
