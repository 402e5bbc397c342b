"""Runs one manage.py command as a child of `dev`, and ends it when `dev` is gone.

`dev` holds the other end of this process's standard input and never writes to it. However `dev`
ends, kill -9 included, the system closes that end: a portable way to follow a parent into the
grave.
"""

import os
import signal
import sys
import threading
import time

GRACE_S = 10.0


def main() -> None:
    """Run the command of the arguments."""
    threading.Thread(target=_follow_parent, name="follow-parent", daemon=True).start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analyticsproject.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])


def _follow_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
