"""Which format a client asks for, and answers as its bytes. Pure."""

import csv
from collections.abc import Iterable, Sequence
from enum import StrEnum
from io import StringIO

import msgspec

from timeseries.answers import Circumstances, series_answer, total_answer
from timeseries.errors import invalid_query
from timeseries.queries import Answer
from timeseries.tables import (
    Cell,
    Shape,
    Table,
    columns_of,
    long_table,
    point_objects,
    text_of_cell,
    wide_table,
)


class Format(StrEnum):
    """What an answer is written in; the value is the path's suffix."""

    JSON = "json"
    CSV = "csv"
    NDJSON = "ndjson"


CONTENT_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.NDJSON: "application/x-ndjson",
}
_BY_MEDIA_TYPE = {
    "application/json": Format.JSON,
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
}
# A spreadsheet runs a text that starts so as a formula; the last four are their full-width forms.
_FORMULA_STARTS = tuple("=+-@\t\r\n") + ("＝", "＋", "－", "＠")  # noqa: RUF001


def negotiate(suffix: str | None, accept: str | None) -> Format:
    """The format of the path's suffix, else the one that Accept likes best, else JSON."""
    if suffix:
        return Format(suffix)
    best, best_quality = Format.JSON, 0.0
    for part in (accept or "").split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        if media_type in _BY_MEDIA_TYPE and quality > best_quality:
            best, best_quality = _BY_MEDIA_TYPE[media_type], quality
    return best


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def parse_shape(value: str | None) -> Shape:
    """Raises QueryRefused for anything but rows and columns."""
    if value is None:
        return Shape.WIDE
    if value not in (Shape.ROWS, Shape.COLUMNS):
        raise invalid_query("shape", "shape takes rows or columns")
    return Shape(value)


def check_shape(shape: Shape, form: Format, *, has_points: bool) -> None:
    """Raises QueryRefused for a layout that the format, or an answer without points, cannot
    have."""
    if shape is Shape.COLUMNS and not has_points:
        raise invalid_query("shape", "shape=columns is of points in time: this has none")
    if shape is Shape.COLUMNS and form is Format.NDJSON:
        raise invalid_query("shape", "shape=columns has no lines: ask for json or csv")


def encode(answer: Answer, circumstances: Circumstances, *, form: Format, shape: Shape) -> bytes:
    """The answer's bytes, in a format and shape that `check_shape` passed."""
    if form is Format.CSV:
        return _csv(_table(answer, shape))
    if shape is Shape.ROWS:
        table = long_table(answer)
        rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
        return _lines(rows) if form is Format.NDJSON else msgspec.json.encode(rows)
    if form is Format.NDJSON:
        return _lines(point_objects(answer))
    if shape is Shape.COLUMNS:
        return msgspec.json.encode(_columns_as_json(answer))
    whole = series_answer if answer.query.buckets else total_answer
    return msgspec.json.encode(whole(answer, circumstances))


def _columns_as_json(answer: Answer) -> dict[str, object]:
    columns = columns_of(answer)
    series = [{"name": name, "values": values} for name, values in columns.series]
    return {"time": columns.times_ms, "series": series}


def _table(answer: Answer, shape: Shape) -> Table:
    if shape is Shape.ROWS:
        return long_table(answer)
    if shape is Shape.WIDE:
        return wide_table(answer)
    columns = columns_of(answer)
    values = [values for _, values in columns.series]
    header = ["time", *(name for name, _ in columns.series)]
    return Table(header, zip(columns.times_ms, *values, strict=True))


def _lines(rows: Iterable[object]) -> bytes:
    encoder = msgspec.json.Encoder()
    return b"".join(encoder.encode(row) + b"\n" for row in rows)


def _csv(table: Table) -> bytes:
    return csv_bytes(table.header, table.rows)


def csv_bytes(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """RFC 4180 in UTF-8; texts that a spreadsheet would run as a formula start with an
    apostrophe. None is an empty cell."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(map(_guarded, header))
    writer.writerows([_cell(cell) for cell in row] for row in rows)
    return buffer.getvalue().encode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    return _guarded(cell) if isinstance(cell, str) else text_of_cell(cell)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
