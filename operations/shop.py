"""A believable shop for demonstrations: who visits, looks, fills a cart and orders, minute by
minute.

Pure and deterministic: the same seed and minute give the same events with the same ids and times,
so that sending them again changes nothing.
"""

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

MINUTE_MS = 60_000
VISITS_PER_MINUTE = 1.0  # on average over a day
CAMPAIGN_VISITS_PER_MINUTE = 14.0  # on top, while the demonstration runs live
VISITORS = 4_000
LONGEST_VISIT_MS = 12 * MINUTE_MS

_COUNTRIES = {"DE": 30, "FR": 18, "US": 16, "GB": 12, "NL": 8, "PL": 6, "ES": 6, "IT": 4}
_DEVICES = {"phone": 55, "laptop": 35, "tablet": 10}
_SOURCES = {"search": 40, "direct": 28, "newsletter": 17, "social": 15}
_PRODUCTS = (
    ("Espresso cup", "kitchen", 14.5),
    ("Chef's knife", "kitchen", 89.0),
    ("Linen apron", "kitchen", 39.0),
    ("Desk lamp", "office", 64.9),
    ("Notebook, dotted", "office", 12.0),
    ("Fountain pen", "office", 48.0),
    ("Hiking socks", "outdoor", 17.5),
    ("Enamel mug", "outdoor", 15.9),
    ("Headlamp", "outdoor", 42.0),
)
_PAGES = ("/", "/new", "/sale", "/kitchen", "/office", "/outdoor", "/about")

Row = dict[str, Any]  # Any: JSON


def events_between(seed: int, from_ms: int, to_ms: int, *, campaign: bool = False) -> Iterator[Row]:
    """The shop's events with from_ms <= timestamp < to_ms, minute of visit by minute of visit."""
    minute = (from_ms - LONGEST_VISIT_MS) // MINUTE_MS
    while minute * MINUTE_MS < to_ms:
        for row in _minute(seed, minute, campaign=campaign):
            if from_ms <= row["timestamp"] < to_ms:
                yield row
        minute += 1


def as_line(row: Row) -> bytes:
    """The event as the API takes it."""
    return json.dumps(row, separators=(",", ":")).encode()


def expected_visits(minute: int) -> float:
    """Visits in a minute: few at night (UTC), most in the evening, more at the weekend."""
    day_share = (minute % 1440) / 1440
    rhythm = 1 + 0.7 * math.sin((day_share - 0.37) * 2 * math.pi)
    weekend = 1.25 if (minute // 1440 + 4) % 7 in (0, 6) else 1.0
    return VISITS_PER_MINUTE * rhythm * weekend


def _minute(seed: int, minute: int, *, campaign: bool) -> Iterator[Row]:
    kinds = {"shop": expected_visits(minute)}
    if campaign:
        kinds["campaign"] = CAMPAIGN_VISITS_PER_MINUTE
    for kind, expected in kinds.items():
        rng = Random(f"{seed}/{kind}/{minute}")  # noqa: S311 - a demonstration, not a secret
        for number in range(_poisson(rng, expected)):
            yield from _visit(rng, f"demo-{seed}-{kind}-{minute}-{number}", minute, kind)


def _poisson(rng: Random, expected: float) -> int:
    count, product, limit = 0, rng.random(), math.exp(-expected)
    while product > limit:
        product *= rng.random()
        count += 1
    return count


def _visit(rng: Random, visit: str, minute: int, kind: str) -> Iterator[Row]:
    """One visit: the start, some pages, perhaps products, a cart, an order."""
    at_ms = minute * MINUTE_MS + rng.randrange(MINUTE_MS)
    end_ms = at_ms + LONGEST_VISIT_MS
    visitor = rng.randrange(VISITORS)
    who = {"anonymous_id": f"visitor-{visitor}", "session_id": visit}
    if visitor % 3 == 0:
        who["user_id"] = f"customer-{visitor}"
    about = {
        "country": _pick(rng, _COUNTRIES),
        "device": _pick(rng, _DEVICES),
        "source": "campaign" if kind == "campaign" else _pick(rng, _SOURCES),
    }
    for step, (event, properties) in enumerate(_steps(rng)):
        if at_ms >= end_ms:
            return
        yield {
            "id": f"{visit}-{step}",
            "event": event,
            "timestamp": at_ms,
            **who,
            "properties": about | properties,
        }
        at_ms += 500 + round(rng.expovariate(1 / 20_000))


def _steps(rng: Random) -> Iterator[tuple[str, Row]]:
    yield "visit.started", {"page": "/"}
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6))):
        yield "page.viewed", {"page": rng.choice(_PAGES), "load_ms": _load_ms(rng)}
    if rng.random() < 0.35:
        return
    cart: list[Row] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        product = _product(rng)
        yield "product.viewed", product
        if rng.random() < 0.3:
            cart.append(product)
            yield "cart.added", {**product, "quantity": rng.choice((1, 1, 1, 2, 3))}
    if cart and rng.random() < 0.55:
        yield from _checkout(rng, cart)


def _checkout(rng: Random, cart: list[Row]) -> Iterator[tuple[str, Row]]:
    amount = round(sum(product["price"] for product in cart), 2)
    yield "checkout.started", {"amount": amount, "items": len(cart)}
    if rng.random() < 0.08:
        yield "payment.failed", {"amount": amount, "reason": rng.choice(("declined", "timeout"))}
    if rng.random() < 0.8:
        paid = {"amount": amount, "items": len(cart), "payment": rng.choice(("card", "invoice"))}
        yield "order.completed", paid


def _product(rng: Random) -> Row:
    name, category, price = rng.choice(_PRODUCTS)
    return {"product": name, "category": category, "price": price}


def _load_ms(rng: Random) -> int:
    return round(rng.lognormvariate(5.6, 0.5))


def _pick(rng: Random, weighted: dict[str, int]) -> str:
    return rng.choices(list(weighted), weights=list(weighted.values()))[0]
