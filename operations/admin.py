"""The admin's pages of operations, registered by import."""

from operations.dead_letter_admin import DeadLetterAdmin

__all__ = ["DeadLetterAdmin"]
