"""The admin's list of dead letters: to look at, never to change."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from operations.dead_letter_rows import DeadLetterRow

if TYPE_CHECKING:
    Pages = admin.ModelAdmin[DeadLetterRow]
else:
    Pages = admin.ModelAdmin  # which takes no parameter at run time

MAX_REASON_CHARS = 120
SHOWN_BYTES = 64 * 1024


@admin.register(DeadLetterRow)
class DeadLetterAdmin(Pages):
    """Newest first; found by key, id of the event, or id of the request."""

    list_display = ("refused_at", "project", "stage", "code", "field", "event_id", "reason")
    list_filter = ("stage", "code", "refused_at", "project")
    search_fields = ("event_key__exact", "event_id__exact", "request_id__exact", "id__exact")
    search_help_text = "An event's key or id, a request's id, or a letter's id"
    show_full_result_count = False
    list_per_page = 50
    fields = (
        "id",
        ("refused_at", "kept_at"),
        ("project", "stage", "code", "field"),
        "detail",
        ("event_key", "event_id"),
        ("request_id", "request_index"),
        ("topic", "partition", "offset"),
        "headers",
        "payload_size",
        "payload_text",
    )
    readonly_fields = ("payload_size", "payload_text")

    class Media:
        """Long payloads wrap."""

        css = {"all": ("weir/dead_letters.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only the pipeline writes dead letters."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: DeadLetterRow | None = None) -> bool:
        """They are evidence."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: DeadLetterRow | None = None) -> bool:
        """They are evidence."""
        return False

    @admin.display(description="Detail")
    def reason(self, row: DeadLetterRow) -> str:
        """The beginning of the detail."""
        return Truncator(row.detail).chars(MAX_REASON_CHARS)

    @admin.display(description="Payload size")
    def payload_size(self, row: DeadLetterRow) -> str:
        """In bytes, and whether all of it is here."""
        shown = len(row.payload)
        if shown < row.payload_bytes:
            return f"{row.payload_bytes} bytes, of which the first {shown} were kept"
        return f"{row.payload_bytes} bytes"

    @admin.display(description="Payload")
    def payload_text(self, row: DeadLetterRow) -> SafeString:
        """As text, escaped; bytes that are no UTF-8 as \\x.."""
        text = bytes(row.payload[:SHOWN_BYTES]).decode("utf-8", "backslashreplace")
        return format_html('<pre class="payload">{}</pre>', text)
