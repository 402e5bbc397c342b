"""One world a module: engines and a Django database in a folder of its own, keys from no
database."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from django.test.utils import override_settings
from pytest_django.plugin import DjangoDbBlocker

from access.authentication import get_key_ring
from feed.backends import FEED
from tests.api.query.world import World
from tests.key_builders import make_snapshot
from timeseries.api.threads import get_query_threads
from timeseries.backends import SERIES_STORE
from timeseries.freshness import get_freshness
from timeseries.generations import READER
from warehouse.backends import EVENT_STORE

_BACKENDS = (FEED, EVENT_STORE, SERIES_STORE)


@contextmanager
def _database_at(path: Path) -> Iterator[None]:
    """Every thread's Django database is this file: queries run on threads of their own, which a
    test's transaction would shut out."""
    entry = connections.settings["default"]
    name, kept = entry["NAME"], connections["default"]
    del connections["default"]
    entry["NAME"] = str(path)
    try:
        yield
    finally:
        connections["default"].close()
        entry["NAME"] = name
        connections["default"] = kept


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    """A file with every table, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "django.sqlite3"
    with django_db_blocker.unblock(), _database_at(path):
        call_command("migrate", verbosity=0)
    return path


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker, migrated: Path
) -> Iterator[World]:
    data_dir = tmp_path_factory.mktemp("query")
    made = World()
    snapshot = make_snapshot(made.ours, made.theirs)
    with (
        django_db_blocker.unblock(),
        _database_at(Path(shutil.copy(migrated, data_dir))),
        override_settings(DATA_DIR=data_dir),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(get_key_ring(), "_latest", None)
        patch.setattr(get_key_ring(), "_load", lambda known: snapshot)
        _open()
        yield made
        _close()


def _open() -> None:
    READER.forget()
    for backend in _BACKENDS:
        backend.forget()
    FEED.get().ensure_topics()
    EVENT_STORE.get().ensure()
    SERIES_STORE.get().ensure(1)


def _close() -> None:
    get_query_threads().close()
    get_query_threads.cache_clear()
    get_freshness.cache_clear()
    READER.forget()
    for backend in _BACKENDS:
        backend.get().close()
        backend.forget()
