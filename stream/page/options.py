"""Where the page is, and who may see it."""

from pathlib import Path
from typing import Final, NamedTuple

from whoplays.models.errors import OptionError
from whoplays.stream.common.paths import check_regular
from whoplays.stream.common.uri import is_loopback

SHORTEST_TOKEN: Final = 16


class PageOptions(NamedTuple):
    """Where the page is, and who may see it."""

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    insecure: bool = False
    """Whether others may see it without a token: a proxy in front of it decides."""
    allow_hosts: tuple[str, ...] = ()
    """More names by which it may be asked for."""
    history: Path | None = None

    @property
    def is_safe(self) -> bool:
        """Whether nobody else can see it without a token."""
        return is_loopback(self.host) or bool(self.token) or self.insecure

    def check(self) -> None:
        """Refuse to let others see the page without a token.

        Raises:
            OptionError: see above.
        """
        if not self.is_safe:
            raise OptionError(
                f"{self.host} can be reached by others: give --token-file, or --insecure if a proxy asks who they are"
            )


def read_token(path: Path) -> str:
    """The token in a file, without the white space around it.

    Raises:
        OptionError: the file cannot be read, or the token is too short to be secret.
    """
    try:
        check_regular(path)
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise OptionError(f"token file {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(token) < SHORTEST_TOKEN:
        raise OptionError(
            f"token in {path} must have {SHORTEST_TOKEN} characters or more, got {len(token)}; "
            f"make one with: openssl rand -hex 16 > {path}"
        )
    return token
