"""Documents as lines of a bulk request, and their ids. Pure, and hot: it runs for every event."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from timeseries.adapters.elasticsearch.indices import Names, Place, period_bounds_ms, routing_of
from timeseries.adapters.elasticsearch.mapping import BOOLEANS, NUMBERS, STRINGS
from timeseries.ports import Document

VERSION_STEP = 256
"""A document's external version is its version times this. The live lane leaves the low 8 bits at
0; a document that was damaged behind our back is restored with a higher one."""
_PROJECT_BYTES = 8
_KEY_BYTES = 16
_ID_CHARS = (_KEY_BYTES + _PROJECT_BYTES) * 4 // 3
_encode = msgspec.json.Encoder().encode


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

    def pairs(self, documents: Sequence[Document]) -> Iterator[tuple[str, bytes]]:
        """Of each document its index, and an action line and its body without the last newline. The
        line does not name the index: the request does, once for all."""
        keys = b"".join([document.key for document in documents]).hex()
        ids = _ids(documents)
        place = self._place
        for number, document in enumerate(documents):
            project, key, version, time_ms = document[:4]
            if not self._start_ms <= time_ms < self._end_ms:
                self._turn_to(time_ms)
            routing = routing_of(place, project, key)
            routed = f'"routing":"{routing}",' if routing else ""
            external = version * VERSION_STEP + self._low_bits
            action = (
                f'{{"index":{{"_id":"{ids[number]}",{routed}"version":{external},'
                f'"version_type":"external_gte"}}}}\n'
            )
            first = number * _KEY_BYTES * 2
            body = _body(document, keys[first : first + _KEY_BYTES * 2])
            yield self._index, action.encode() + _encode(body)

    def _turn_to(self, time_ms: int) -> None:
        self._index = self._names.index_at(self._place, time_ms)
        bounds = period_bounds_ms(self._place.monthly_from_year, time_ms)
        self._start_ms, self._end_ms = bounds
        self.indices.add(self._index)


def _body(document: Document, hex_key: str) -> dict[str, object]:
    """A document as it is sent: see mapping.py for the names. What it lacks is left out, and a
    single value of a slot has no array around it: the server has less to read."""
    (project, _, version, time_ms, event, type_, user, anonymous, session) = document[:9]
    body: dict[str, object] = {
        "p": project,
        "t": time_ms,
        "k": hex_key,
        "v": version,
        "h": document.hash24,
        "e": event,
        "y": type_,
    }
    if user is not None:
        body["u"] = user
    if anonymous is not None:
        body["a"] = anonymous
    if session is not None:
        body["i"] = session
    for slot, texts in document.strings.items():
        body[STRINGS[slot]] = texts[0] if len(texts) == 1 else texts
    for slot, doubles in document.numbers.items():
        body[NUMBERS[slot]] = doubles[0] if len(doubles) == 1 else doubles
    for slot, flags in document.booleans.items():
        body[BOOLEANS[slot]] = flags[0] if len(flags) == 1 else flags
    return body


def _ids(documents: Sequence[Document]) -> list[str]:
    """`document_id` of each, in one call of base64: 24 bytes are 32 characters without padding."""
    parts = [document.key + project_mark(document.project) for document in documents]
    text = urlsafe_b64encode(b"".join(parts)).decode()
    return [text[first : first + _ID_CHARS] for first in range(0, len(text), _ID_CHARS)]
