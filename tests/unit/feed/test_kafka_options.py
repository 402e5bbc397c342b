"""The URL of a feed on Kafka: what it takes, and how it refuses the rest."""

import pytest

from feed.adapters.kafka.options import parse_options
from feed.errors import WrongOption


def test_addresses_get_the_usual_port_and_credentials_are_decoded() -> None:
    options = parse_options(
        "kafka://us%40er:p%2Fw@one,two:19092", {"security_protocol": "sasl_plaintext"}
    )

    assert options.servers == "one:9092,two:19092"
    assert (options.user, options.password) == ("us@er", "p/w")
    assert "p/w" not in repr(options)


def test_a_user_alone_means_sasl_over_tls() -> None:
    options = parse_options("kafka://one", {"sasl_username": "u", "sasl_password": "p"})

    assert options.security_protocol == "SASL_SSL"


def test_retention_is_an_option_a_topic() -> None:
    options = parse_options("kafka://one", {"dead_letters_retention_hours": "2000"})

    assert options.retention_hours["dead-letters"] == 2000
    assert options.retention_hours["events"] == 168


@pytest.mark.parametrize(
    ("url", "given", "named"),
    [
        ("kafka://", {}, "names no broker"),
        ("kafka://one:x", {}, "one:x"),
        ("kafka://one", {"partitons": "4"}, "partitons"),
        ("kafka://one", {"partitions": "1.5"}, "partitions"),
        ("kafka://one", {"lease_s": "1"}, "lease_s"),
        ("kafka://one", {"delivery_timeout_s": "10"}, "delivery_timeout_s"),
        ("kafka://one", {"compression": "rar"}, "compression"),
        ("kafka://one", {"prefix": "a/b"}, "prefix"),
        ("kafka://one", {"ca": "/no/such/file"}, "ca"),
        ("kafka://one", {"max_poll_s": "6", "lease_s": "20"}, "max_poll_s"),
        ("kafka://one", {"replication": "1", "min_insync": "2"}, "min_insync"),
        ("kafka://one", {"security_protocol": "SASL_SSL"}, "no user"),
        ("kafka://u:secret@one", {"security_protocol": "PLAINTEXT"}, "sends none"),
    ],
)
def test_a_wrong_url_is_refused_by_name(url: str, given: dict[str, str], named: str) -> None:
    with pytest.raises(WrongOption, match=named) as told:
        parse_options(url, given)

    assert "secret" not in str(told.value)
