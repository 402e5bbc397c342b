"""Which driver each URL of the settings asks for, and the extra, `requirements/<extra>.txt`, that
brings it. Imports no driver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from analyticsproject.env import WrongSetting

URL_SETTINGS = ("WEIR_FEED_URL", "WEIR_WAREHOUSE_URL", "WEIR_TIMESERIES_URL", "DATABASE_URL")


@dataclass(frozen=True, slots=True)
class Driver:
    """`modules` are imported by adapters, by Django, or as an app."""

    extra: str
    modules: Sequence[str]

    def is_installed(self) -> bool:
        """Whether every module could be imported."""
        return all(find_spec(module) is not None for module in self.modules)


_ELASTICSEARCH = Driver("elasticsearch", ("elasticsearch", "django_elasticsearch_dsl"))
_POSTGRESQL = Driver("postgresql", ("psycopg",))
BY_SCHEME: Mapping[str, Driver] = {
    "kafka": Driver("kafka", ("confluent_kafka",)),
    "cassandra": Driver("cassandra", ("cassandra",)),
    "elasticsearch+http": _ELASTICSEARCH,
    "elasticsearch+https": _ELASTICSEARCH,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
}


def missing_drivers(environment: Mapping[str, str]) -> dict[str, Driver]:
    """Drivers that the URLs ask for and that are not installed, by the URL's setting."""
    asked = {name: driver_of(environment.get(name, "")) for name in URL_SETTINGS}
    return {name: driver for name, driver in asked.items() if driver and not driver.is_installed()}


def driver_of(url: str) -> Driver | None:
    """The driver that a URL needs; None for what needs no extra, or is no URL of ours."""
    return BY_SCHEME.get(url.partition(":")[0])


def require_driver(environment: Mapping[str, str], name: str) -> Driver | None:
    """The driver that a setting's URL asks for, which Django itself needs before any adapter is
    made. Raises WrongSetting when it is not installed."""
    driver = driver_of(environment.get(name, ""))
    if driver is not None and not driver.is_installed():
        raise WrongSetting(
            f"{name} needs a driver that is not installed here: "
            f"pip install -r requirements/{driver.extra}.txt"
        )
    return driver
