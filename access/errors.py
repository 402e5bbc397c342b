"""What can go wrong with projects and keys: always the caller's fault, said in one sentence."""


class AccessError(Exception):
    """The change to projects or keys was refused; the message says why and what to do."""


class BadName(AccessError):
    """A project's name is not a slug, or is taken: names are never changed nor reused."""


class BadKey(AccessError):
    """The text is not a key that Weir takes."""


class BadOrigin(AccessError):
    """The text is not an origin that a browser would send."""


class BadToken(AccessError):
    """A token with these claims would be refused by every door."""


class NotRegistered(AccessError):
    """No such project or key is registered here."""


class NoServerKey(AccessError):
    """WEIR_SECRET_KEY is not set, so this process has no key to sign staff tokens with."""
