"""JDK choice, places, ports, layouts, processes and Maven's complaints: without any server."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from operations.engines import artifacts, jdks
from operations.engines.artifacts import Supplies, Zip
from operations.engines.cassandra import Cassandra
from operations.engines.elasticsearch import Elasticsearch
from operations.engines.errors import EnginesError, EnginesUnknown, MissingTool
from operations.engines.jdks import JDK_17, JDK_21, find_jdk, read_jdk
from operations.engines.kafka import Kafka
from operations.engines.layout import (
    Layout,
    Place,
    PortWish,
    choose_ports,
    read_layout,
    write_layout,
)
from operations.engines.maven import run_maven
from operations.engines.places import Account, cache_folder, is_open, state_folder
from operations.engines.processes import Group, birth
from operations.sockets import bind


def make_jdk(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text("")
    (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\nMODULES="java.base"')
    return home


def quiet(sentence: str) -> None:
    """Says nothing."""


@pytest.fixture
def lying_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which JDKs are looked for."""
    folder = tmp_path / "jvm"
    folder.mkdir()
    monkeypatch.setattr(jdks, "FOLDERS", (folder,))
    monkeypatch.setattr(jdks, "JDK_PACKAGE", "no_such_package")
    return folder


@pytest.mark.parametrize(
    ("version", "major"), [("17.0.15", 17), ("25", 25), ("1.8.0_402", 8), ("21.0.1-ea", 21)]
)
def test_a_jdk_says_its_age(tmp_path: Path, version: str, major: int) -> None:
    jdk = read_jdk(make_jdk(tmp_path / "jdk", version))

    assert jdk is not None
    assert jdk.major == major
    assert jdk.modules == {"java.base"}


def test_a_folder_without_release_or_java_is_no_jdk(tmp_path: Path) -> None:
    home = make_jdk(tmp_path / "jdk", "17")
    (home / "bin" / "java").unlink()

    assert read_jdk(home) is None
    assert read_jdk(tmp_path) is None


def test_each_engine_gets_a_jdk_of_its_age(lying_around: Path) -> None:
    old, new = make_jdk(lying_around / "a", "17.0.1"), make_jdk(lying_around / "b", "25")

    assert find_jdk(JDK_17, {"PATH": ""}).home == old
    assert find_jdk(JDK_21, {"PATH": ""}).home == new


def test_a_named_jdk_comes_first_if_it_will_do(lying_around: Path, tmp_path: Path) -> None:
    around, named = make_jdk(lying_around / "a", "17"), make_jdk(tmp_path / "mine", "17.0.9")

    assert find_jdk(JDK_17, {"JAVA_HOME": str(named), "PATH": ""}).home == named
    make_jdk(tmp_path / "new", "25")
    environment = {"JAVA_HOME": str(tmp_path / "new"), "PATH": ""}
    assert find_jdk(JDK_17, environment).home == around
    assert find_jdk(JDK_21, environment | {"ES_JAVA_HOME": "/nowhere"}).major == 25


def test_a_jdk_on_the_path_is_found(lying_around: Path, tmp_path: Path) -> None:
    home = make_jdk(tmp_path / "mine", "17")
    (home / "bin" / "java").chmod(0o755)

    assert find_jdk(JDK_17, {"PATH": str(home / "bin")}).home == home


@pytest.mark.usefixtures("lying_around")
@pytest.mark.parametrize("need", [JDK_17, JDK_21])
def test_without_a_jdk_one_sentence_says_what_to_install(need: jdks.JdkNeed) -> None:
    with pytest.raises(MissingTool, match=f"need.* a JDK {need.at_least}.*install one"):
        find_jdk(need, {"PATH": ""})


def test_the_command_that_asks_for_a_jdk_exits_0_or_1(
    lying_around: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["jdks", "17"])
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(SystemExit) as ended:
        jdks.main()
    assert ended.value.code == 1

    make_jdk(lying_around / "a", "17")
    jdks.main()


def test_files_of_root_lie_where_others_get_to(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    root = Account(65534, 65534)
    environment = {"HOME": str(closed)}

    assert cache_folder(environment, None) == closed / ".cache/weir/engines"
    assert cache_folder(environment, root) == Path("/var/cache/weir/engines")
    assert cache_folder({"XDG_CACHE_HOME": str(closed)}, root) == Path("/var/cache/weir/engines")
    assert state_folder(closed, None) == closed / "engines"
    assert not state_folder(closed, root).is_relative_to(closed)
    assert state_folder(closed, root) != state_folder(tmp_path, root)
    assert not is_open(closed / "below")


def test_ports_kept_stay_and_taken_ones_give_way(tmp_path: Path) -> None:
    hosts, names = ["127.0.0.1"] * 3, ("clients", "peers")
    first = choose_ports(hosts, names, PortWish(), None)
    all_of_them = [port for ports in first for port in ports.values()]
    places = tuple(
        Place(n, tmp_path / "kafka-3" / str(n), "127.0.0.1", ports)
        for n, ports in enumerate(first, start=1)
    )
    write_layout(Layout("kafka", tmp_path / "kafka-3", places), None)
    kept = read_layout(tmp_path / "kafka-3")

    assert len(set(all_of_them)) == 6
    assert kept is not None
    assert kept.places == places
    assert choose_ports(hosts, names, PortWish(), kept) == first
    with bind("127.0.0.1", first[0]["clients"]):
        second = choose_ports(hosts, names, PortWish(), kept)
    assert second[0]["clients"] not in all_of_them
    assert second[1:] == first[1:]


def test_a_port_that_cannot_be_had_is_one_sentence() -> None:
    with bind("127.0.0.1", 0) as taken:
        wish = PortWish(taken.getsockname()[1], option="--kafka-port")
        with pytest.raises(EnginesError, match="is in use.*--kafka-port"):
            choose_ports(["127.0.0.1"], ("clients",), wish, None)
    with pytest.raises(EnginesError, match="cannot listen at"):
        choose_ports(["192.0.2.1"], ("clients",), PortWish(), None)


def test_a_layout_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    assert read_layout(tmp_path) is None
    (tmp_path / "layout.json").write_text('{"nodes": 3}')

    with pytest.raises(EnginesUnknown, match=r"layout\.json"):
        read_layout(tmp_path)


def test_urls_name_every_node(tmp_path: Path) -> None:
    def layout(engine: Kafka | Cassandra | Elasticsearch, count: int) -> Layout:
        hosts = engine.hosts(count)
        shared = len(set(hosts)) > 1
        places = tuple(
            Place(n, tmp_path, host, {"clients": 9000 if shared else 9000 + n})
            for n, host in enumerate(hosts, start=1)
        )
        return Layout(engine.name, tmp_path, places)

    urls = [
        engine.url(layout(engine, count))
        for engine in (Kafka(), Cassandra(), Elasticsearch())
        for count in (1, 3)
    ]

    assert urls == [
        "kafka://127.0.0.1:9001",
        "kafka://127.0.0.1:9001,127.0.0.1:9002,127.0.0.1:9003?replication=3",
        "cassandra://127.0.0.1:9001",
        "cassandra://127.0.0.1:9000,127.0.0.2:9000,127.0.0.3:9000?replication=3",
        "elasticsearch+http://127.0.0.1:9001",
        "elasticsearch+http://127.0.0.1:9001,127.0.0.1:9002,127.0.0.1:9003",
    ]


def test_a_group_is_known_by_the_birth_of_its_leader() -> None:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
    born = birth(process.pid)
    assert born is not None
    ours, another = Group(process.pid, born), Group(process.pid, "another birth")

    another.kill()
    assert ours.is_running()
    assert not another.is_running()

    ours.kill()
    assert ours.wait(10)
    assert birth(process.pid) is None
    process.wait()


def test_a_group_whose_leader_has_gone_still_runs() -> None:
    process = subprocess.Popen(
        ["sh", "-c", "sleep 600 & echo started"], start_new_session=True, stdout=subprocess.PIPE
    )
    born = birth(process.pid) or ""
    assert process.stdout is not None
    process.stdout.readline()
    process.wait(10)
    group = Group(process.pid, born)

    assert group.is_running()
    group.kill()
    assert group.wait(10)
    process.stdout.close()


def fake_maven(folder: Path, script: str) -> dict[str, str]:
    """An environment with a Maven of this script."""
    folder.mkdir()
    program = folder / "mvn"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_what_maven_complains_about_is_one_sentence(tmp_path: Path) -> None:
    environment = fake_maven(
        tmp_path / "bin", "echo '[INFO] x'; echo '[ERROR] no such host'; echo '[ERROR] b'; exit 1"
    )

    with pytest.raises(EnginesError, match=r"could not fetch kafka \(no such host\).*again"):
        run_maven([], ["copy"], "kafka", environment, tmp_path, quiet)


def test_without_maven_one_sentence_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(MissingTool, match="apt-get install maven"):
        run_maven([], ["copy"], "kafka", {"PATH": str(tmp_path)}, tmp_path, quiet)


@pytest.mark.usefixtures("lying_around")
def test_a_zip_with_another_checksum_is_refused_and_leaves_nothing(
    lying_around: Path, tmp_path: Path
) -> None:
    make_jdk(lying_around / "a", "17")
    with zipfile.ZipFile(tmp_path / "server.zip", "w") as archive:
        archive.writestr("server-1/bin/server", "#!/bin/sh")
    script = (
        'for a; do case $a in -DoutputDirectory=*) mkdir -p "${a#*=}"; '
        f'cp {tmp_path}/server.zip "${{a#*=}}";; esac; done'
    )
    environment = fake_maven(tmp_path / "bin", script)
    cache = tmp_path / "cache"
    supplies = Supplies(cache, environment, None, quiet)
    (cache / "server.part-left").mkdir(parents=True)

    with pytest.raises(EnginesError, match="SHA-256"):
        supplies.server(Zip("server", "g:server:1:zip", "0" * 64))
    assert [path.name for path in cache.iterdir()] == ["fetching.lock"]

    import hashlib

    right = hashlib.sha256((tmp_path / "server.zip").read_bytes()).hexdigest()
    ready = supplies.server(Zip("server", "g:server:1:zip", right))
    assert [path.name for path in ready.rglob("*")] == ["bin", "server"]
    os.remove(tmp_path / "bin" / "mvn")
    assert supplies.server(Zip("server", "g:server:1:zip", right)) == ready
    assert artifacts.KAFKA.name == "kafka-4.2.0"
