"""Bulk requests: two under way while the next is made, and what came of each document."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from feed.crash_points import reach
from timeseries.adapters.elasticsearch.client import Cluster, Json
from timeseries.adapters.elasticsearch.documents import VERSION_STEP, Lines
from timeseries.adapters.elasticsearch.errors import RETRY_S
from timeseries.adapters.elasticsearch.generations import GenerationKeeper
from timeseries.adapters.elasticsearch.indices import MOST_NAMES, Names, Place
from timeseries.adapters.elasticsearch.options import Options
from timeseries.adapters.elasticsearch.verification import external_versions
from timeseries.errors import SeriesBackpressure, SeriesUnavailable
from timeseries.ports import Document, Refused

IN_FLIGHT = 2
CONFLICT = "version_conflict_engine_exception"
"""A newer version is there: success."""
NOT_PARSED = "document_parsing_exception"
"""The one error that is the document's own fault."""
MISSING_INDEX = "index_not_found_exception"
BUSY = "es_rejected_execution_exception"
"""No room for this one now: an index may refuse some of a request and take the others."""
_TOLD_APART = frozenset({CONFLICT, NOT_PARSED, BUSY})
"""What is looked at document by document; all else passes, and the whole batch comes again."""
MOST_REASON_CHARS = 500
FULL_ROUNDS = 4
FULL_S = 0.05
"""Waits double between rounds in which no document found room: about two seconds in all, since to
give up means that the whole batch comes again."""
TOMBSTONE_WAITS_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""The server reads a clock that moves every 200 ms to tell whether a tombstone is old enough."""
_BRIEF = "errors,items.*.error.type"
"""Nothing is told of what succeeded: a redelivered batch may be all conflicts, and says so in a few
bytes each."""
_WHOLE = "errors,items.*.status,items.*.error.type,items.*.error.reason"


class Bulk:
    """Documents of one index, as the lines of one request."""

    def __init__(self, index: str) -> None:
        self.index = index
        self.documents: list[Document] = []
        self.pairs: list[bytes] = []
        self.size = 0


class BulkWriter:
    """Writes documents of one generation at a time. Thread-safe."""

    def __init__(
        self, cluster: Cluster, names: Names, keeper: GenerationKeeper, options: Options
    ) -> None:
        self._cluster, self._names, self._keeper = cluster, names, keeper
        self._bulk_bytes, self._timeout_s = options.bulk_bytes, options.timeout_s
        self._threads: ThreadPoolExecutor | None = None

    def write(
        self, parts: Iterable[Sequence[Document]], place: Place, *, restores: bool
    ) -> list[Refused]:
        """Every document durable and readable, or given back; with `restores`, also where somebody
        changed it. Raises as SeriesStore.write."""
        lines = Lines(self._names, place)
        try:
            refused = self._send_all(
                parts, place, lines, restores=restores
            )  # every item acknowledged
            reach("projector.before_refresh")
            self._refresh(sorted(lines.indices))
        except SeriesBackpressure:
            self._keeper.forget(lines.indices)  # one of them may be gone
            raise
        return refused

    def close(self) -> None:
        """Wait for what is under way. Idempotent."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    def _send_all(
        self,
        parts: Iterable[Sequence[Document]],
        place: Place,
        lines: Lines,
        *,
        restores: bool,
    ) -> list[Refused]:
        refused: list[Refused] = []
        pending: deque[Future[list[Refused]]] = deque()
        try:
            for bulk in self._bulks(parts, lines):
                if len(pending) == IN_FLIGHT:
                    refused += pending.popleft().result()
                self._keeper.need(place, {bulk.index})
                pending.append(self._pool().submit(self._send, place, bulk, restores=restores))
                reach("projector.mid_batch")
            while pending:
                refused += pending.popleft().result()
        finally:
            wait(pending)  # after an error: nothing stays under way behind the caller's back
        return refused

    def _bulks(self, parts: Iterable[Sequence[Document]], lines: Lines) -> Iterator[Bulk]:
        """A request for each index, or several: each is given away before it would be too long."""
        growing: dict[str, Bulk] = {}
        for part in parts:
            for document, (index, pair) in zip(part, lines.pairs(part), strict=True):
                bulk = growing.get(index)
                if bulk is not None and bulk.size + len(pair) > self._bulk_bytes:
                    yield bulk
                    bulk = None
                if bulk is None:
                    bulk = growing[index] = Bulk(index)
                bulk.documents.append(document)
                bulk.pairs.append(pair)
                bulk.size += len(pair) + 1
        yield from growing.values()

    def _send(self, place: Place, bulk: Bulk, *, restores: bool) -> list[Refused]:
        index, pairs = bulk.index, bulk.pairs
        kinds = self._kinds(self._request(index, pairs, _BRIEF))
        if MISSING_INDEX in kinds:  # deleted behind our back
            self._keeper.forget({index})
            self._keeper.need(place, {index})
            kinds = self._kinds(self._request(index, pairs, _BRIEF))
        if kinds - _TOLD_APART:
            raise _later(kinds - _TOLD_APART)
        refused = self._one_by_one(bulk) if kinds - {CONFLICT} else []
        if restores and kinds:
            self._restore(place, bulk)
        return refused

    def _one_by_one(self, bulk: Bulk) -> list[Refused]:
        """Once more, with an answer for each document: writing twice changes nothing. Those that
        found no room come again without the others, until for FULL_ROUNDS none got in."""
        refused: list[Refused] = []
        left = list(zip(bulk.documents, bulk.pairs, strict=True))
        full_rounds = 0
        while left:
            answer = self._request(bulk.index, [pair for _, pair in left], _WHOLE)
            kinds = self._kinds(answer) - _TOLD_APART
            errors = [item["index"].get("error", {}) for item in answer["items"]]
            told = list(zip(left, errors, strict=True))
            refused += [
                Refused(document, _without_values(str(error.get("reason"))))
                for (document, _), error in told
                if error.get("type") == NOT_PARSED
            ]
            left = [each for each, error in told if error.get("type") == BUSY]
            full_rounds = full_rounds + 1 if len(left) == len(told) else 0
            if kinds or full_rounds > FULL_ROUNDS:
                raise _later(kinds or {BUSY})
            if full_rounds:
                time.sleep(FULL_S * 2**full_rounds)
        return refused

    def _restore(self, place: Place, bulk: Bulk) -> None:
        """Write those anew that somebody changed or deleted. What was changed has an external
        version above ours, yet below the next version of the event. What was deleted just now left
        a tombstone in the way, which fades within moments."""
        left: Sequence[Document] = bulk.documents
        for wait_s in TOMBSTONE_WAITS_S:
            is_in_the_way = False
            damaged = self._damaged(place, left)
            for low_bits, members in damaged.items():
                lines = Lines(self._names, place, low_bits=low_bits)
                pairs = [pair for _, pair in lines.pairs(members)]
                kinds = self._kinds(self._request(bulk.index, pairs, _BRIEF))
                if kinds - {CONFLICT, NOT_PARSED}:
                    raise _later(kinds - {CONFLICT, NOT_PARSED})
                is_in_the_way |= low_bits == 0 and CONFLICT in kinds
            if not is_in_the_way:
                return
            left = damaged[0]
            time.sleep(wait_s)
        raise _later({CONFLICT})

    def _damaged(self, place: Place, documents: Sequence[Document]) -> dict[int, list[Document]]:
        """Those that are not as we wrote them, by the low bits of what stands there; those that do
        not stand there at all are under 0."""
        held = external_versions(self._cluster, self._names, place, documents)
        damaged: dict[int, list[Document]] = {}
        for document, external in zip(documents, held, strict=True):
            version, low_bits = divmod(external, VERSION_STEP)
            if external == 0 or (version == document.version and low_bits):
                damaged.setdefault(low_bits, []).append(document)
        return damaged

    def _request(self, index: str, pairs: Sequence[bytes], filter_path: str) -> Json:
        answer: Json = self._cluster.request(
            "POST",
            f"/{index}/_bulk",
            what="writing documents",
            timeout_s=self._timeout_s,
            body=b"\n".join((*pairs, b"")),
            params={"filter_path": filter_path, "timeout": f"{int(self._timeout_s * 800)}ms"},
        )
        return answer

    def _kinds(self, answer: Json) -> set[str]:
        """The kinds of error in it."""
        if not answer["errors"]:
            return set()
        items: Sequence[Any] = answer.get("items", ())
        return {item["index"]["error"]["type"] for item in items if "error" in item["index"]}

    def _refresh(self, indices: Sequence[str]) -> None:
        for first in range(0, len(indices), MOST_NAMES):
            answer = self._cluster.request(
                "POST",
                f"/{','.join(indices[first : first + MOST_NAMES])}/_refresh",
                what="making documents readable",
                timeout_s=self._timeout_s,
            )
            if answer["_shards"]["failed"]:
                raise SeriesUnavailable(
                    f"{answer['_shards']['failed']} shards of the view did not refresh"
                )

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="weir-bulk")
        return self._threads


def _without_values(reason: str) -> str:
    """The server shows what it could not read: properties are nobody's business here."""
    return reason.partition(". Preview of field")[0][:MOST_REASON_CHARS]


def _later(kinds: set[str]) -> SeriesBackpressure:
    """Whatever is not the documents' fault passes."""
    sentence = f"Elasticsearch does not take documents now: {', '.join(sorted(kinds))}"
    if kinds == {BUSY}:
        return SeriesBackpressure(sentence, retry_after_s=RETRY_S)
    return SeriesUnavailable(sentence, retry_after_s=RETRY_S)
