"""The ASGI application that uvicorn (`manage.py serve`) and daphne (`runserver`) run."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "analyticsproject.settings")
_django = get_asgi_application()  # first: what follows needs the apps

from analyticsproject.composition import build_application  # noqa: E402

application = build_application(_django)  # type: ignore[arg-type]  # ASGI's types, more narrowly
