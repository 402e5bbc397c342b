"""A world to rebuild."""

import pytest

from tests.local_pipeline import LocalPipeline
from tests.rebuild_builders import make_world


@pytest.fixture
def world(pipeline: LocalPipeline) -> LocalPipeline:
    make_world(pipeline)
    return pipeline
