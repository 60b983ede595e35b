"""How a bound address is secured, as a configuration says it."""

from typing import Literal, get_args

import msgspec

from whoplays.models.errors import OptionError, naming
from whoplays.stream.common.paths import allowed_folder, expanded
from whoplays.stream.pubsub.endpoint import is_open
from whoplays.stream.security.allow_list import AllowList, ServerKeys
from whoplays.stream.security.keys import read_secret

Mode = Literal["off", "auto", "required"]


class Security(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a bound address is secured.

    - `off`: no encryption; the address must be of this machine.
    - `auto`: an address of this machine is not encrypted; one that is open to the network is, and needs keys.
    - `required`: every address is encrypted, and needs keys.

    `insecure` leaves an address open to the network without encryption, if the mode does not encrypt it.

    Raises:
        OptionError: the mode is none of these.
    """

    mode: Mode = "auto"
    keys: str | None = None
    """The secret key file of this end."""
    allowed: str | None = None
    """The folder with the public keys of those who may connect; that of `whoplays keys allow` unless given."""
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise OptionError(f"unknown security mode {self.mode!r}; give {', '.join(get_args(Mode))}")

    def keys_for(self, endpoint: str) -> ServerKeys | None:
        """The keys to bind an address with; None if it is not to be encrypted.

        Whether an address may be bound without keys is for `check_bind` to say.

        Raises:
            OptionError: keys are needed and not given, or are of no use; the message begins with the key that says it.
        """
        if not self.encrypts(endpoint):
            return None
        with naming("security.keys"):
            if self.keys is None:
                raise OptionError(
                    f"{endpoint} is to be encrypted, which needs keys; "
                    "give [security] keys, the secret key file that whoplays keys make has made"
                )
            _, secret = read_secret(expanded(self.keys))
        with naming("security.allowed"):
            allowed = AllowList(expanded(self.allowed) if self.allowed else allowed_folder())
            allowed.check()
        return ServerKeys(secret, allowed)

    def encrypts(self, endpoint: str) -> bool:
        """Whether an address is to be encrypted."""
        if self.mode == "required":
            return True
        return self.mode == "auto" and is_open(endpoint) and (self.keys is not None or not self.insecure)
