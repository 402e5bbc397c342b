"""The environment of the whole run: development values, and a data folder of its own.

A plugin (`-p` in pyproject.toml), not a conftest: pytest-django reads the settings before any
conftest is loaded.
"""

import os

from tests.run_folder import make_run_folder

# Tests never touch a developer's ./var nor depend on a developer's environment.
for _name in [name for name in os.environ if name.startswith("WEIR_") or name == "DATABASE_URL"]:
    del os.environ[_name]
# tests/e2e/test_postgresql.py runs suites once more, on a database of its own.
if "TEST_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
os.environ["WEIR_SECRET_KEY"] = "tests-only-secret-key-tests-only-secret-key-tests-only"
os.environ["WEIR_DATA_DIR"] = str(make_run_folder("weir-tests-"))
