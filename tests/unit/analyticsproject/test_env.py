"""Settings from the environment, `.env`, files and development values; faults in one sentence."""

import json
from pathlib import Path

import pytest

from analyticsproject import env
from analyticsproject.env import WrongSetting, read_environment


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with no setting given anywhere."""
    for name in ("WEIR_SECRET_KEY", "WEIR_DATA_DIR"):
        monkeypatch.delenv(name)
    return tmp_path


def test_without_anything_given_nothing_is_read(base: Path) -> None:
    assert read_environment(base) == {}


def test_the_environment_wins_over_dot_env_and_that_over_development_values(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "var").mkdir()
    (base / "var" / "dev.json").write_text(
        json.dumps({"WEIR_SECRET_KEY": "dev", "WEIR_DEBUG": "dev", "WEIR_SERVE": "dev"})
    )
    (base / ".env").write_text("WEIR_DEBUG=dotenv\nWEIR_SERVE=dotenv\nOTHER=1\n")
    monkeypatch.setenv("WEIR_SERVE", "environment")

    assert read_environment(base) == {
        "WEIR_SECRET_KEY": "dev",
        "WEIR_DEBUG": "dotenv",
        "WEIR_SERVE": "environment",
    }


def test_development_values_lie_in_the_data_folder(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "elsewhere").mkdir()
    (base / "elsewhere" / "dev.json").write_text('{"WEIR_SECRET_KEY": "dev"}')
    monkeypatch.setenv("WEIR_DATA_DIR", str(base / "elsewhere"))

    assert read_environment(base)["WEIR_SECRET_KEY"] == "dev"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"WEIR_NOPE": "1"}'])
def test_development_values_that_cannot_be_read_are_one_sentence(base: Path, text: str) -> None:
    (base / "var").mkdir()
    (base / "var" / "dev.json").write_text(text)

    with pytest.raises(WrongSetting, match=r"weir: .*dev\.json"):
        read_environment(base)


def test_a_value_may_lie_in_a_file(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "secret").write_text("from the file\n")
    monkeypatch.setenv("WEIR_SECRET_KEY_FILE", str(base / "secret"))
    monkeypatch.setenv("DATABASE_URL_FILE", str(base / "secret"))

    assert read_environment(base) == {
        "WEIR_SECRET_KEY": "from the file",
        "DATABASE_URL": "from the file",
    }


def test_the_value_itself_wins_over_its_file(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (base / "secret").write_text("from the file")
    monkeypatch.setenv("WEIR_SECRET_KEY_FILE", str(base / "secret"))
    monkeypatch.setenv("WEIR_SECRET_KEY", "itself")

    assert read_environment(base)["WEIR_SECRET_KEY"] == "itself"


def test_a_file_that_is_not_there_is_one_sentence(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEIR_SECRET_KEY_FILE", str(base / "nowhere"))

    with pytest.raises(WrongSetting, match=r"weir: WEIR_SECRET_KEY_FILE names .*nowhere"):
        read_environment(base)


@pytest.mark.parametrize("name", ["WEIR_FED_URL", "WEIR_", "WEIR_FEED_URLS_FILE"])
def test_an_unknown_name_is_one_sentence(
    base: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")

    with pytest.raises(WrongSetting, match=f"weir: {name} is not a setting of Weir"):
        read_environment(base)


@pytest.mark.parametrize("where", [".env"])
def test_an_unknown_name_in_dot_env_is_one_sentence(base: Path, where: str) -> None:
    (base / where).write_text("WEIR_NOPE=1\n")

    with pytest.raises(WrongSetting, match="WEIR_NOPE"):
        read_environment(base)


@pytest.mark.parametrize(
    "name",
    [
        "WEIR_SERVICE_HOST",
        "WEIR_WEB_SERVICE_HOST",
        "WEIR_WEB_SERVICE_PORT",
        "WEIR_WEB_SERVICE_PORT_HTTP",
        "WEIR_PORT",
        "WEIR_WEB_PORT",
        "WEIR_WEB_PORT_8000_TCP",
        "WEIR_PORT_8000_TCP_ADDR",
    ],
)
def test_names_that_kubernetes_injects_are_passed_over(
    base: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8000")

    assert read_environment(base) == {}


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_words_for_true(word: str) -> None:
    assert env.boolean("WEIR_DEBUG", word)


@pytest.mark.parametrize("word", ["0", "False", "no", "OFF"])
def test_words_for_false(word: str) -> None:
    assert not env.boolean("WEIR_DEBUG", word)


def test_another_word_is_one_sentence() -> None:
    with pytest.raises(WrongSetting, match="WEIR_DEBUG is 'maybe': it takes true or false"):
        env.boolean("WEIR_DEBUG", "maybe")


def test_a_choice_keeps_its_order() -> None:
    allowed = ("ingest", "query", "admin")

    assert env.choice_list("WEIR_SERVE", " query, ingest ", allowed) == ("query", "ingest")


@pytest.mark.parametrize("value", ["", ",", "ingest,web"])
def test_a_wrong_choice_is_one_sentence(value: str) -> None:
    with pytest.raises(WrongSetting, match=r"WEIR_SERVE .* takes ingest, query"):
        env.choice_list("WEIR_SERVE", value, ("ingest", "query"))


@pytest.mark.parametrize(
    "url", ["nonsense", "mysql://u:pw@h/db", "postgres://u:pw@h:x/db", "sqlite:"]
)
def test_a_wrong_database_url_is_one_sentence_without_its_password(url: str) -> None:
    with pytest.raises(WrongSetting, match="DATABASE_URL is not a database URL") as wrong:
        env.database("DATABASE_URL", url)
    assert "pw" not in str(wrong.value)


def test_a_database_url_gives_djangos_entry() -> None:
    entry = env.database("DATABASE_URL", "postgres://u:pw@h:5433/db")

    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("h", 5433, "db")


@pytest.mark.parametrize(
    "value", ["weir.example", "https://", "https://weir.example/app", "ftp://x"]
)
def test_a_wrong_public_url_is_one_sentence(value: str) -> None:
    with pytest.raises(WrongSetting, match="WEIR_PUBLIC_URL is"):
        env.public_url("WEIR_PUBLIC_URL", value)


@pytest.mark.parametrize("value", ["", "https://weir.example", "http://localhost:8000"])
def test_a_public_url_is_taken_as_it_is(value: str) -> None:
    assert env.public_url("WEIR_PUBLIC_URL", value) == value


@pytest.mark.parametrize("value", ["proxy", "10.0.0.1,", "10.0.0.300"])
def test_wrong_proxy_addresses_are_one_sentence(value: str) -> None:
    with pytest.raises(WrongSetting, match="WEIR_TRUSTED_PROXIES has"):
        env.addresses("WEIR_TRUSTED_PROXIES", value)


@pytest.mark.parametrize("value", ["", "*", "10.0.0.1", "10.0.0.0/8, fd00::/8"])
def test_proxy_addresses_are_taken_as_they_are(value: str) -> None:
    assert env.addresses("WEIR_TRUSTED_PROXIES", value) == value
