"""With embedded engines no driver of another is imported, in any kind of process.

psycopg is not looked for: where it is installed, djangorestframework itself tries it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from analyticsproject.drivers import BY_SCHEME

ROOT = Path(__file__).resolve().parents[3]
DRIVERS = {
    module
    for scheme, driver in BY_SCHEME.items()
    if not scheme.startswith("postgres")
    for module in driver.modules
}
ALL_PROCESSES = """
import asyncio, json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "analyticsproject.settings"
from analyticsproject.asgi import application
from django.core.management import call_command

call_command("migrate", verbosity=0)
call_command("ensure_engines", stdout=sys.stderr)
call_command("run_warehouse_sink", once=True)
call_command("run_projector", once=True)

async def ask(path):
    sent = []
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"",
             "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http",
             "client": ("127.0.0.1", 1)}
    left = [{"type": "http.request", "body": b"", "more_body": False}]
    async def receive():
        return left.pop() if left else await asyncio.Event().wait()
    async def send(message):
        sent.append(message)
    await application(scope, receive, send)
    return sent[0]["status"]

statuses = [asyncio.run(ask(path)) for path in ("/readyz", "/admin/login/", "/v1/lag")]
print(json.dumps({"statuses": statuses, "modules": sorted(sys.modules)}))
"""


def test_with_embedded_engines_no_driver_is_imported(tmp_path: Path) -> None:
    outer = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WEIR_", "DATABASE_URL"))
    }
    done = subprocess.run(
        [sys.executable, "-c", ALL_PROCESSES],
        cwd=ROOT,
        env=outer | {"WEIR_DATA_DIR": str(tmp_path), "WEIR_SECRET_KEY": "s" * 50},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)

    assert said["statuses"] == [200, 200, 401]
    assert {"django", "apsw", "uvicorn"} - set(said["modules"]) == {"uvicorn"}
    assert [name for name in said["modules"] if name.partition(".")[0] in DRIVERS] == []
    assert {"cassandra", "confluent_kafka", "elasticsearch", "django_elasticsearch_dsl"} == DRIVERS
