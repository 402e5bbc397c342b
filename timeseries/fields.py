"""From a field's name as clients write it to the field. Pure."""

from timeseries.domain import CoreField, Field, PropertyField
from timeseries.errors import invalid_query

PREFIXES = ("properties.", "context.")
MAX_NAME_CHARS = 4_096
_CORE = {field.value: field for field in CoreField}


def parse_field(value: object, path: str) -> Field:
    """`event`, `user_id`, `anonymous_id`, `session_id`, `type`, `properties.X` or `context.X`.

    Raises QueryRefused naming `path`.
    """
    if isinstance(value, str):
        if value in _CORE:
            return _CORE[value]
        if len(value) <= MAX_NAME_CHARS and _is_property(value):
            return PropertyField(value)
    names = ", ".join([*_CORE, "properties.X", "context.X"])
    raise invalid_query(path, f"{path} is not a field: it takes {names}")


def _is_property(name: str) -> bool:
    return any(name.startswith(prefix) and len(name) > len(prefix) for prefix in PREFIXES)
