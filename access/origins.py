"""Origins as browsers write them. Pure."""

import re
from urllib.parse import urlsplit

from access.errors import BadOrigin
from access.keys import ANY_ORIGIN

_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """The origin in the form that a browser sends: scheme, host and a port that is not the
    scheme's own, in lower case; `*` stays. Raises BadOrigin."""
    text = text.strip()
    if text == ANY_ORIGIN:
        return text
    try:
        parts = urlsplit(text.lower())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise BadOrigin(_advice(text)) from None
    beyond = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in _DEFAULT_PORTS or beyond or not _HOST.fullmatch(host):
        raise BadOrigin(_advice(text))
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"


def _advice(text: str) -> str:
    return f"{text!r} is not an origin: write it as https://shop.example, or * for every one"
