"""`manage.py run_replayer`: from the warehouse into topic history, when somebody asked for it."""

from functools import cached_property

from feed.ports import Feed
from feed.topics import Group, Topic
from feed.worker import WorkerCommand, Working, configured
from replay.replayer import Replayer, new_name
from timeseries.backends import get_series_store
from warehouse.backends import get_event_store


class Command(WorkerCommand):
    """One replay at a time; run more of them for more at once."""

    help = "Emit the events of the replays that were started, at low priority."

    @cached_property
    def replayer_name(self) -> str:
        """The same for every attempt of this process: it takes up again what it held."""
        return new_name()

    def work(self, feed: Feed, working: Working) -> None:
        """Work on replays; with `--once`, until none waits for a replayer."""
        replayer = Replayer(
            *(feed, configured(get_event_store), configured(get_series_store)),
            stop=working.stop,
            note_progress=working.note_progress,
            name=self.replayer_name,
        )
        working.begin([(Group.PROJECTOR_HISTORY, Topic.HISTORY)], "working on replays")
        replayer.run(once=working.once)
