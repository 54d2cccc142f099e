"""The jars: whatever happens on the way, what ends up on the class path is what the lock says."""

import hashlib
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from streams.localkafka import LocalKafkaError
from streams.localkafka.jars import Jar, cache_dir, ensure_jars, read_lock
from streams.localkafka.ports import free_port

ROOT = Path(__file__).parents[2]
CONTENT = bytes(range(256)) * 4096  # 1 MB: several chunks
TAMPERED = CONTENT[:-1] + b"!"
JAR = Jar("org.example.parts", "part", "1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
LIMIT_S = 20.0  # for what takes milliseconds


class Repository:
    """A Maven repository on 127.0.0.1; `respond` may be replaced to misbehave."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.respond: Callable[[BaseHTTPRequestHandler], None] = lambda handler: send(handler, CONTENT)
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                repository.requests.append(self.path)
                repository.respond(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/maven"


def send(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with an empty cache and no Maven repository."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KEYSTATUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "home"


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    repository = Repository()
    monkeypatch.setenv("KEYSTATUS_MAVEN_REPOSITORY", repository.address + "/")
    thread = threading.Thread(target=repository.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield repository
    repository.server.shutdown()
    thread.join()
    repository.server.server_close()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> int:
    """Point the repository at a port where nobody listens, and return it."""
    port = free_port()
    monkeypatch.setenv("KEYSTATUS_MAVEN_REPOSITORY", f"http://127.0.0.1:{port}")
    return port


def put_into_cache(content: bytes) -> Path:
    path = cache_dir() / JAR.file_name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def put_into_local_repository(home: Path, content: bytes) -> None:
    path = home / ".m2/repository/org/example/parts/part/1.0/part-1.0.jar"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)


def files_of_cache() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache_dir().iterdir()}


def test_the_lock_gives_every_jar_a_version_a_checksum_and_a_size() -> None:
    jars = read_lock()
    assert {"kafka_2.13", "kafka-clients", "slf4j-simple"} <= {jar.artifact for jar in jars}
    assert len({jar.file_name for jar in jars}) == len(jars)
    for jar in jars:
        assert re.fullmatch("[0-9a-f]{64}", jar.sha256)
        assert jar.size > 0


def test_a_missing_jar_is_loaded_from_the_repository_that_the_environment_names(repository: Repository) -> None:
    assert ensure_jars([JAR]) == [cache_dir() / "part-1.0.jar"]
    assert files_of_cache() == {"part-1.0.jar": CONTENT}
    assert repository.requests == ["/maven/org/example/parts/part/1.0/part-1.0.jar"]


def test_without_a_named_repository_the_one_that_jgo_knows_is_asked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KEYSTATUS_MAVEN_REPOSITORY")
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", repository.address)
    ensure_jars([JAR])
    assert files_of_cache() == {"part-1.0.jar": CONTENT}


@pytest.mark.usefixtures("no_network")
def test_a_jar_in_the_cache_is_not_loaded_again() -> None:
    path = put_into_cache(CONTENT)
    assert ensure_jars([JAR]) == [path]


def test_a_loaded_jar_with_another_checksum_is_refused_and_removed(repository: Repository) -> None:
    repository.respond = lambda handler: send(handler, TAMPERED)
    with pytest.raises(LocalKafkaError, match=r"part-1\.0\.jar from the Maven repository is not the locked jar"):
        ensure_jars([JAR])
    assert files_of_cache() == {}


@pytest.mark.usefixtures("repository")
def test_a_tampered_jar_in_the_cache_is_replaced_by_the_locked_one() -> None:
    put_into_cache(TAMPERED)
    ensure_jars([JAR])
    assert files_of_cache() == {"part-1.0.jar": CONTENT}


@pytest.mark.usefixtures("no_network")
def test_a_tampered_jar_in_the_cache_is_refused_when_there_is_no_other() -> None:
    put_into_cache(TAMPERED)
    with pytest.raises(LocalKafkaError, match="could not be loaded"):
        ensure_jars([JAR])


@pytest.mark.usefixtures("no_network")
def test_a_jar_of_the_local_maven_repository_is_taken_without_network(home: Path) -> None:
    put_into_local_repository(home, CONTENT)
    ensure_jars([JAR])
    assert files_of_cache() == {"part-1.0.jar": CONTENT}


@pytest.mark.usefixtures("repository")
def test_a_tampered_jar_of_the_local_maven_repository_is_passed_over(home: Path) -> None:
    put_into_local_repository(home, TAMPERED)
    ensure_jars([JAR])
    assert files_of_cache() == {"part-1.0.jar": CONTENT}


def test_without_network_one_line_says_what_to_do(no_network: int) -> None:
    with pytest.raises(LocalKafkaError) as caught:
        ensure_jars([JAR])
    message = str(caught.value)
    assert message.startswith("part-1.0.jar could not be loaded from the Maven repository")
    assert "connect to the network" in message
    assert "set KEYSTATUS_MAVEN_REPOSITORY" in message
    assert str(cache_dir()) in message
    assert "\n" not in message
    assert str(no_network) not in message


def test_a_jar_that_the_repository_does_not_have_is_an_error_with_its_answer(repository: Repository) -> None:
    repository.respond = lambda handler: handler.send_error(404)
    with pytest.raises(LocalKafkaError, match=r"could not be loaded .*\(Not Found\)"):
        ensure_jars([JAR])


def test_a_connection_that_breaks_off_is_tried_once_more(repository: Repository) -> None:
    def break_off_once(handler: BaseHTTPRequestHandler) -> None:
        send(handler, CONTENT if len(repository.requests) > 1 else CONTENT[: JAR.size // 2])

    repository.respond = break_off_once
    ensure_jars([JAR])
    assert files_of_cache() == {"part-1.0.jar": CONTENT}
    assert len(repository.requests) == 2


def test_a_half_loaded_jar_is_not_in_its_place(repository: Repository) -> None:
    half_sent, go_on = threading.Event(), threading.Event()

    def pause_halfway(handler: BaseHTTPRequestHandler) -> None:
        send(handler, CONTENT[: JAR.size // 2])
        handler.wfile.flush()
        half_sent.set()
        go_on.wait(LIMIT_S)
        handler.wfile.write(CONTENT[JAR.size // 2 :])

    repository.respond = pause_halfway
    download = threading.Thread(target=ensure_jars, args=([JAR],))
    download.start()
    assert half_sent.wait(LIMIT_S)
    assert not (cache_dir() / "part-1.0.jar").exists()
    go_on.set()
    download.join()
    assert files_of_cache() == {"part-1.0.jar": CONTENT}


def test_processes_that_load_the_same_jar_at_once_leave_one_good_file(repository: Repository) -> None:
    count = 4
    all_are_here = threading.Barrier(count)

    def wait_for_the_others(handler: BaseHTTPRequestHandler) -> None:
        all_are_here.wait(LIMIT_S)
        send(handler, CONTENT)

    repository.respond = wait_for_the_others
    program = f"from streams.localkafka.jars import *; print(*ensure_jars([{JAR!r}]))"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    answers = [process.communicate(timeout=LIMIT_S)[0].strip() for process in processes]
    assert answers == [str(cache_dir() / "part-1.0.jar")] * count
    assert files_of_cache() == {"part-1.0.jar": CONTENT}
    assert len(repository.requests) == count


def test_a_repository_address_that_is_not_http_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEYSTATUS_MAVEN_REPOSITORY", tmp_path.as_uri())
    with pytest.raises(LocalKafkaError, match="KEYSTATUS_MAVEN_REPOSITORY is no http"):
        ensure_jars([JAR])


def test_a_cache_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KEYSTATUS_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(LocalKafkaError, match=r"cannot make the cache directory .*/file/kafka-"):
        ensure_jars([JAR])


def test_the_cache_follows_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KEYSTATUS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg/keystatus/kafka-4.3.1"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == home / ".cache/keystatus/kafka-4.3.1"


@pytest.mark.usefixtures("repository")
def test_outside_a_terminal_the_download_is_told_in_two_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    ensure_jars([JAR])
    output = capsys.readouterr()
    assert output.err.splitlines() == [
        "Apache Kafka 4.3.1: 1 jars, 1 MB: downloading",
        "Apache Kafka 4.3.1: 1 jars, 1 MB: done",
    ]
    assert output.out == ""


@pytest.mark.usefixtures("repository")
def test_on_a_terminal_the_download_shows_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ensure_jars([JAR])
    assert "━━━━" in capsys.readouterr().err
