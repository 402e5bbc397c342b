"""Every setting of the product, typed, from the environment through env.py; nothing here
connects."""

from pathlib import Path

from analyticsproject import drivers, engine_urls, env

BASE_DIR = Path(__file__).resolve().parent.parent
ENVIRONMENT = env.read_environment(BASE_DIR)

# -- Weir --

DATA_DIR = Path(ENVIRONMENT.get("WEIR_DATA_DIR") or BASE_DIR / "var").resolve()
SERVE = env.choice_list(
    "WEIR_SERVE", ENVIRONMENT.get("WEIR_SERVE", "ingest,query,admin"), ("ingest", "query", "admin")
)
FEED = engine_urls.engine(
    "WEIR_FEED_URL",
    ENVIRONMENT.get("WEIR_FEED_URL", "embedded:"),
    {"embedded": "feed.adapters.embedded.open_feed", "kafka": "feed.adapters.kafka.open_feed"},
)
EVENT_STORE = engine_urls.engine(
    "WEIR_WAREHOUSE_URL",
    ENVIRONMENT.get("WEIR_WAREHOUSE_URL", "embedded:"),
    {
        "embedded": "warehouse.adapters.embedded.open_event_store",
        "cassandra": "warehouse.adapters.cassandra.open_event_store",
    },
)
SERIES_STORE = engine_urls.engine(
    "WEIR_TIMESERIES_URL",
    ENVIRONMENT.get("WEIR_TIMESERIES_URL", "embedded:"),
    {
        "embedded": "timeseries.adapters.embedded.open_series_store",
        "elasticsearch+http": "timeseries.adapters.elasticsearch.open_series_store",
        "elasticsearch+https": "timeseries.adapters.elasticsearch.open_series_store",
    },
)
PUBLIC_URL = env.public_url("WEIR_PUBLIC_URL", ENVIRONMENT.get("WEIR_PUBLIC_URL", ""))
CRASH_POINT = ENVIRONMENT.get("WEIR_CRASH_POINT", "")  # fault tests only: feed/crash_points.py
TRUSTED_PROXIES = env.addresses("WEIR_TRUSTED_PROXIES", ENVIRONMENT.get("WEIR_TRUSTED_PROXIES", ""))

# -- Django --

# Without a secret key commands that need none (ensure_engines, workers) still run; `serve` and
# `dev` insist on one.
SECRET_KEY = ENVIRONMENT.get("WEIR_SECRET_KEY", "")
DEBUG = env.boolean("WEIR_DEBUG", ENVIRONMENT.get("WEIR_DEBUG", "false"))
ALLOWED_HOSTS = [
    host
    for host in ENVIRONMENT.get("WEIR_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
    if host
]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
ROOT_URLCONF = "analyticsproject.urls"
ASGI_APPLICATION = "analyticsproject.asgi.application"

INSTALLED_APPS = [
    "daphne",  # first, so that `runserver` speaks ASGI
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "feed",
    "access",
    "ingest",
    "warehouse",
    "timeseries",
    "replay",
    "operations",
]
ELASTICSEARCH_DSL: dict[str, object] = {}  # the adapter names its own connections
ELASTICSEARCH_DSL_SIGNAL_PROCESSOR = "django_elasticsearch_dsl.signals.BaseSignalProcessor"
ELASTICSEARCH_DSL_AUTOSYNC = False
_search = drivers.driver_of(str(SERIES_STORE["URL"]))
if _search is not None and _search.is_installed():  # a missing driver is told by the adapter
    INSTALLED_APPS.append("django_elasticsearch_dsl")
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "analyticsproject.security.SecurityHeaders",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step: static_files.py serves what finders know
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False

drivers.require_driver(ENVIRONMENT, "DATABASE_URL")
DATABASES = {
    "default": env.database(
        "DATABASE_URL",
        ENVIRONMENT.get("DATABASE_URL")
        or f"sqlite:///{env.folder('WEIR_DATA_DIR', DATA_DIR) / 'django.sqlite3'}",
    )
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Rollback journal, never WAL: Python's own SQLite is older than the fix that makes WAL safe
    # here (decision 0003).
    # IMMEDIATE, so that a writer waits for the lock at its start and never fails half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 30 * 24 * 3600 if PUBLIC_URL.startswith("https:") else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https:")
LOGIN_URL = "admin:login"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # Anyone can send an unknown Host header: the answer is 400, not a traceback in the log.
    # The driver writes a line a request, and what fails is told by whoever asked.
    "loggers": {
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "elastic_transport": {"level": "ERROR"},
    },
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "operations.negotiation.JsonAlways",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Weir",
    "DESCRIPTION": "A complete analytics event pipeline: send events, chart them as they arrive.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/v1/",
    "ENUM_NAME_OVERRIDES": {
        "LagState": "operations.serializers.STATES",
        "ReplayState": "replay.serializers.STATES",
    },
}
