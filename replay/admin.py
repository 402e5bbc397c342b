"""The admin's list of replays, those that are not over on top, and the addresses of its pages."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from replay import admin_words as words
from replay.admin_detail import DetailPages
from replay.admin_order import OrderPages
from replay.admin_site import REQUEST, may_see
from replay.domain import FINAL, WORKED_ON, Mode, Move, State, Worker
from replay.models import Replay
from replay.reports import worker_of
from replay.services import CLOCK

if TYPE_CHECKING:
    Pages = admin.ModelAdmin[Replay]
    ListFilter = admin.SimpleListFilter
else:
    Pages = admin.ModelAdmin  # which takes no parameter at run time
    ListFilter = admin.SimpleListFilter

_FINAL_LAST = Case(
    When(state__in=[state.value for state in FINAL], then=Value(1)), default=Value(0)
)


class AskedSince(ListFilter):
    """By the day of the request."""

    title = "asked for"
    parameter_name = "since"

    def lookups(
        self, request: HttpRequest, model_admin: Any
    ) -> list[tuple[str, str]]:  # Any: Django's own type
        """Days back."""
        return [("1", "in 24 hours"), ("7", "in 7 days"), ("30", "in 30 days")]

    def queryset(
        self, request: HttpRequest, queryset: "QuerySet[Replay]"
    ) -> "QuerySet[Replay] | None":
        """Those since then."""
        if self.value() not in {"1", "7", "30"}:
            return queryset
        back_ms = int(timedelta(days=int(str(self.value()))).total_seconds() * 1000)
        return queryset.filter(created_at_ms__gte=CLOCK.now_ms() - back_ms)


@admin.register(Replay)
class ReplayAdmin(Pages):
    """Rows are made and moved by the service alone."""

    list_display = ("asked_at", "status", "what", "requested_by", "progress", "period", "names")
    list_filter = ("state", AskedSince, "requested_by", "project")
    search_fields = ("id__exact", "reason", "requested_by")
    search_help_text = "A replay's id, words of its reason, or who asked for it"
    ordering = (_FINAL_LAST.asc(), "-id")
    list_per_page = 50
    show_full_result_count = False
    actions = None

    class Media:
        """Pills of states."""

        css = {"all": ("weir/pages.css", "weir/replays.css")}

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shown to whoever may see replays."""
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Replay | None = None) -> bool:
        """Whoever may do something with replays sees them."""
        return may_see(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever may ask for one."""
        return request.user.has_perm(REQUEST)

    def has_change_permission(self, request: HttpRequest, obj: Replay | None = None) -> bool:
        """Nobody edits a row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Replay | None = None) -> bool:
        """They are the record of what was done."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """The pages, before Django's own."""
        views = DetailPages(self.admin_site, self.opts)
        making = OrderPages(self.admin_site, self.opts)
        moves = "|".join(move.value for move in Move)
        own = [
            path("confirm/", self._page(making.confirm), name="replay_replay_confirm"),
            path("<str:replay>/progress/", views.progress, name="replay_replay_progress"),
            path("<str:replay>/hours/", views.hours, name="replay_replay_hours"),
            re_path(
                rf"^(?P<replay>[^/]+)/(?P<move>{moves})/$",
                self._page(views.move),
                name="replay_replay_move",
            ),
        ]
        return own + super().get_urls()

    def _page(self, view: Any) -> Any:  # Any: any view
        return self.admin_site.admin_view(view)

    def changelist_view(
        self,
        request: HttpRequest,
        extra_context: dict[str, Any] | None = None,  # Any: Django's own type
    ) -> HttpResponse:
        """All of them."""
        return super().changelist_view(request, {"title": "Replays"} | (extra_context or {}))

    def add_view(
        self,
        request: HttpRequest,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,  # Any: Django's own type
    ) -> HttpResponse:
        """New replay."""
        return OrderPages(self.admin_site, self.opts).new(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,  # Any: Django's own type
    ) -> HttpResponse:
        """One replay, as it moves."""
        return DetailPages(self.admin_site, self.opts).detail(request, object_id)

    @admin.display(description="asked for, UTC", ordering="id")
    def asked_at(self, row: Replay) -> str:
        """To the second."""
        return words.utc(row.created_at_ms)

    @admin.display(description="state", ordering="state")
    def status(self, row: Replay) -> SafeString:
        """Or what matters more."""
        state = State(row.state)
        worker, words_of_it = worker_of(row, now_ms=CLOCK.now_ms()), words.state_name(state)
        if worker is Worker.LOST:
            words_of_it = "stalled, will resume"
        elif worker is None and state in WORKED_ON:
            words_of_it += ", waits for a replayer"
        return format_html(
            '<span class="weir-state" data-state="{}">{}</span>', row.state, words_of_it
        )

    @admin.display(description="project", ordering="project")
    def what(self, row: Replay) -> str:
        """Or the generation that is built of all of them."""
        is_rebuild = row.mode == Mode.NEW_GENERATION.value
        return f"all: generation {row.generation}" if is_rebuild else row.project

    @admin.display(description="range, UTC", ordering="from_ms")
    def period(self, row: Replay) -> str:
        """Both ends."""
        if row.mode == Mode.NEW_GENERATION.value:
            return "all times"
        return format_html("{} –<br>{}", words.hour(row.from_ms), words.hour(row.to_ms))

    @admin.display(description="events")
    def names(self, row: Replay) -> str:
        """The first few."""
        shown = ", ".join(row.events[:3])
        return f"{shown}, …" if len(row.events) > 3 else shown or "all"

    @admin.display(description="projected", ordering="projected")
    def progress(self, row: Replay) -> str:
        """Of how many."""
        return words.of(row.projected, row.estimated)
