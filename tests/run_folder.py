"""A temporary folder of one test run, named after its process; those of runs that are gone, ended
or killed, go when the next begins."""

import os
import shutil
import tempfile
from pathlib import Path


def make_run_folder(prefix: str) -> Path:
    """A new folder of this process's, readable by its user alone."""
    base = Path(tempfile.gettempdir())
    for left in base.glob(f"{prefix}*"):
        owner = left.name.removeprefix(prefix).partition("-")[0]
        if owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True
