"""Documents as lines of a bulk request, and their ids. Pure, and hot: it runs for every event."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from timeseries.adapters.elasticsearch.indices import Names, Place, period_bounds_ms, routing_of
from timeseries.ports import Document

VERSION_STEP = 256
"""A document's external version is its version times this. The live lane leaves the low 8 bits at
0; a document that was damaged behind our back is restored with a higher one."""
_PROJECT_BYTES = 8
_KEY_BYTES = 16
_ID_CHARS = (_KEY_BYTES + _PROJECT_BYTES) * 4 // 3
_encode = msgspec.json.Encoder().encode


class Body(msgspec.Struct, omit_defaults=True):
    """A document as it is sent: see mapping.py for the names. A struct is encoded a third faster
    than a dict."""

    p: str
    t: int
    k: str
    v: int
    h: int
    e: str
    y: str
    u: str | None = None
    a: str | None = None
    i: str | None = None
    s: dict[int, tuple[str, ...]] = {}
    n: dict[int, tuple[float, ...]] = {}
    b: dict[int, tuple[bool, ...]] = {}


@lru_cache(maxsize=10_000)
def project_mark(project: str) -> bytes:
    """Tells projects apart in an id."""
    return blake2b(project.encode(), digest_size=_PROJECT_BYTES).digest()


def document_id(project: str, key: bytes) -> str:
    """Key, then the project's mark, as base64url. The key comes first: ids then ascend with time,
    and the look-up of a new one passes by every older segment without opening it."""
    return urlsafe_b64encode(key + project_mark(project)).decode()


class Lines:
    """Makes lines of documents of one generation. `low_bits`: those of their external versions."""

    def __init__(self, names: Names, place: Place, *, low_bits: int = 0) -> None:
        self._names, self._place, self._low_bits = names, place, low_bits
        self._start_ms = self._end_ms = 0
        self._index = ""
        self.indices: set[str] = set()
        """Every index that a line named."""

    def pairs(self, documents: Sequence[Document]) -> Iterator[bytes]:
        """Of each document an action line and its body, without the last newline."""
        keys = b"".join([document.key for document in documents]).hex()
        ids = _ids(documents)
        place = self._place
        for number, document in enumerate(documents):
            (project, key, version, time_ms, event, type_, user, anonymous, session) = document[:9]
            if not self._start_ms <= time_ms < self._end_ms:
                self._turn_to(time_ms)
            routing = project if place.spread == 1 else routing_of(place, project, key)
            first = number * _KEY_BYTES * 2
            body = Body(
                project,
                time_ms,
                keys[first : first + _KEY_BYTES * 2],
                version,
                document.hash24,
                event,
                type_,
                user,
                anonymous,
                session,
                document.strings,  # type: ignore[arg-type]  # any Mapping; checked when decoding
                document.numbers,  # type: ignore[arg-type]
                document.booleans,  # type: ignore[arg-type]
            )
            external = version * VERSION_STEP + self._low_bits
            action = (
                f'{{"index":{{"_index":"{self._index}","_id":"{ids[number]}","routing":"{routing}",'
                f'"version":{external},"version_type":"external_gte"}}}}\n'
            )
            yield action.encode() + _encode(body)

    def _turn_to(self, time_ms: int) -> None:
        self._index = self._names.index_at(self._place, time_ms)
        bounds = period_bounds_ms(self._place.monthly_from_year, time_ms)
        self._start_ms, self._end_ms = bounds
        self.indices.add(self._index)


def _ids(documents: Sequence[Document]) -> list[str]:
    """`document_id` of each, in one call of base64: 24 bytes are 32 characters without padding."""
    parts = [document.key + project_mark(document.project) for document in documents]
    text = urlsafe_b64encode(b"".join(parts)).decode()
    return [text[first : first + _ID_CHARS] for first in range(0, len(text), _ID_CHARS)]
