"""The metrics of a query: which aggregation of which field makes each column. Pure."""

from collections.abc import Sequence

from timeseries.domain import MAX_METRICS, Agg, CoreField, Field, Metric, field_name
from timeseries.errors import invalid_query
from timeseries.fields import parse_field

FIELDLESS = frozenset({Agg.COUNT, Agg.RATE})
MAX_NAME_CHARS = 200
_MEMBERS = ("name", "agg", "field")
_AGGS = tuple(agg.value for agg in Agg)


def parse_metrics(value: object) -> tuple[Metric, ...]:
    """Columns with unique names; a count where none are asked. Raises QueryRefused naming the part,
    such as `metrics[1].field`."""
    if value is None:
        return (Metric("count", Agg.COUNT),)
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_METRICS:
        raise invalid_query("metrics", f"metrics takes a list of 1 to {MAX_METRICS} metrics")
    metrics = tuple(_metric(item, f"metrics[{index}]") for index, item in enumerate(value))
    _refuse_duplicates(metrics)
    return metrics


def metric_of(text: str) -> dict[str, str]:
    """The short form `agg` or `agg:field` as the member of a query's metrics."""
    agg, colon, field = text.partition(":")
    return {"agg": agg, "field": field} if colon else {"agg": agg}


def default_name(agg: Agg, field: Field | None) -> str:
    """The column's name where the query gives none: its short form."""
    return agg.value if field is None else f"{agg.value}:{field_name(field)}"


def _metric(item: object, path: str) -> Metric:
    if not isinstance(item, dict):
        raise invalid_query(path, f'{path} takes an object such as {{"agg": "count"}}')
    for name in item:
        if name not in _MEMBERS:
            raise invalid_query(
                f"{path}.{name}", f"{path} has no {name}: it takes name, agg, field"
            )
    agg = _agg(item.get("agg"), f"{path}.agg")
    field = _field(agg, item.get("field"), f"{path}.field")
    name = item.get("name")
    if name is None:
        return Metric(default_name(agg, field), agg, field)
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME_CHARS:
        raise invalid_query(f"{path}.name", f"{path}.name takes 1 to {MAX_NAME_CHARS} characters")
    return Metric(name, agg, field)


def _agg(value: object, path: str) -> Agg:
    if isinstance(value, str) and value in _AGGS:
        return Agg(value)
    raise invalid_query(path, f"{path} takes one of {', '.join(_AGGS)}")


def _field(agg: Agg, value: object, path: str) -> Field | None:
    if agg in FIELDLESS:
        if value is not None:
            raise invalid_query(path, f"{path} is not for {agg}: it counts events")
        return None
    if value is None:
        raise invalid_query(path, f"{path} is missing: {agg} is of a field")
    field = parse_field(value, path)
    if isinstance(field, CoreField) and agg is not Agg.UNIQUE:
        raise invalid_query(path, f"{path}: {agg} is of numbers, and {field} has only strings")
    return field


def _refuse_duplicates(metrics: Sequence[Metric]) -> None:
    seen: set[str] = set()
    for index, metric in enumerate(metrics):
        if metric.name in seen:
            path = f"metrics[{index}].name"
            raise invalid_query(path, f"{path}: {metric.name!r} is the name of an earlier metric")
        seen.add(metric.name)
