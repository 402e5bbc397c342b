"""Text that came from outside: whether every store can hold it. Pure."""


def is_text(value: str) -> bool:
    """Whether every store can hold the string: no NUL, no lone surrogate."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def storable(value: str) -> str:
    """The same, with a mark in place of each character that no store can hold."""
    if is_text(value):
        return value
    return "".join(char if is_text(char) else "\N{REPLACEMENT CHARACTER}" for char in value)
