"""The whole pipeline on embedded engines in the test's own folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_pipeline import LocalPipeline, local_pipeline


@pytest.fixture
def pipeline(tmp_path: Path, db: None) -> Iterator[LocalPipeline]:
    with local_pipeline(tmp_path) as running:
        yield running
