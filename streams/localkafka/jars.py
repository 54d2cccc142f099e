"""The jars of Apache Kafka: locked by SHA-256, fetched once, kept in the user's cache directory."""

import hashlib
import http.client
import os
import ssl
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from streams.localkafka.errors import LocalKafkaError

KAFKA_VERSION = "4.3.1"
LOCK_FILE = Path(__file__).with_name("jars.lock")

_CHUNK_BYTES = 256 * 1024
_DOWNLOADS_AT_ONCE = 4  # enough to hide the round trips of the many small jars; more is unkind to the server
_ATTEMPTS = 2  # a dropped connection is common; what fails twice stays broken for now
_TIMEOUT_S = 30.0  # of silence on the connection, not for the whole jar

Advance = Callable[[int], None]
"""Told the number of bytes that just arrived."""


@dataclass(frozen=True)
class Jar:
    """One line of the lock: Maven coordinates, SHA-256 in hex, size in bytes."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def repository_path(self) -> str:
        """Where every Maven repository keeps it, relative to its root."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


def read_lock(path: Path = LOCK_FILE) -> list[Jar]:
    """Parse the lock; a line is `group:artifact:version sha256 size`, `#` starts a comment line."""
    jars = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256, size = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group, artifact, version, sha256, int(size)))
    return jars


def cache_dir() -> Path:
    """The directory of the jars: below `$KEYSTATUS_CACHE_DIR`, else the user's cache directory."""
    own = os.environ.get("KEYSTATUS_CACHE_DIR")
    of_user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(own) if own else Path(of_user, "keystatus")
    return root.absolute() / f"kafka-{KAFKA_VERSION}"


def ensure_jars(lock: Sequence[Jar] | None = None) -> list[Path]:
    """Return the paths of all locked jars, verified, after loading those that are missing.

    Raises LocalKafkaError when a jar cannot be loaded or is not the locked one.
    """
    jars = read_lock() if lock is None else lock
    directory = cache_dir()
    missing = [jar for jar in jars if not _is_intact(directory / jar.file_name, jar)]
    if missing:
        _make_directory(directory)
        missing = [jar for jar in missing if not _take_from_local_repository(jar, directory)]
    if missing:
        _download_all(missing, directory)
    return [directory / jar.file_name for jar in jars]


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalKafkaError(
            f"cannot make the cache directory {directory} ({error.strerror}): set KEYSTATUS_CACHE_DIR to another"
        ) from error
    if not os.access(directory, os.W_OK):
        raise LocalKafkaError(f"cannot write to the cache directory {directory}: set KEYSTATUS_CACHE_DIR to another")


def _is_intact(path: Path, jar: Jar) -> bool:
    try:
        if path.stat().st_size != jar.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except OSError:
        return False


def _take_from_local_repository(jar: Jar, directory: Path) -> bool:
    """Copy the jar out of the user's own Maven repository, if the right one is there."""
    source = Path.home() / ".m2" / "repository" / jar.repository_path
    if not _is_intact(source, jar):
        return False
    with source.open("rb") as file:
        _store(file, jar, directory, advance=lambda _: None)
    return True


def _download_all(jars: Sequence[Jar], directory: Path) -> None:
    repository = _repository()
    with _progress(jars) as advance, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        downloads = [pool.submit(_download, jar, repository, directory, advance) for jar in jars]
        try:
            for download in as_completed(downloads):
                download.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _repository() -> str:
    """The base address of the Maven repository, without a slash at its end."""
    address = os.environ.get("KEYSTATUS_MAVEN_REPOSITORY") or _default_repository()
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise LocalKafkaError("KEYSTATUS_MAVEN_REPOSITORY is no http(s) address: set it to a Maven repository's root")
    return address.rstrip("/")


def _default_repository() -> str:
    try:
        # imported here, for it takes 0.3 s and only a download needs it
        from jgo.constants import MAVEN_CENTRAL_URL
    except ImportError as error:
        raise LocalKafkaError(
            "the package jgo, which knows the Maven repository, is not installed: "
            "install keystatus[local], or set KEYSTATUS_MAVEN_REPOSITORY"
        ) from error
    return str(MAVEN_CENTRAL_URL)


def _download(jar: Jar, repository: str, directory: Path, advance: Advance) -> None:
    request = urllib.request.Request(f"{repository}/{jar.repository_path}")  # noqa: S310 - http(s), checked before
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            # follows the proxy variables of the environment
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=_tls()) as response:  # noqa: S310 - as above
                _store(response, jar, directory, advance)
        except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is the response too
            if attempt == _ATTEMPTS:
                raise LocalKafkaError(_not_loaded(jar, error, directory)) from error
        else:
            return


def _tls() -> ssl.SSLContext:
    """Trust `SSL_CERT_FILE`, else the bundle that requests is told to use, else the system's, else certifi's."""
    bundle = None
    if "SSL_CERT_FILE" not in os.environ:
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or _bundle_for_a_system_without()
    return ssl.create_default_context(cafile=bundle)


def _bundle_for_a_system_without() -> str | None:
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        return None
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()


def _not_loaded(jar: Jar, error: Exception, directory: Path) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return (
        f"{jar.file_name} could not be loaded from the Maven repository ({reason}): connect to the network, "
        f"or set KEYSTATUS_MAVEN_REPOSITORY, or put the jars of Apache Kafka {KAFKA_VERSION} into {directory}"
    )


def _store(source: BinaryIO, jar: Jar, directory: Path, advance: Advance) -> None:
    """Copy `source` to the jar's place in one step, so that others see all of it or nothing.

    Raises LocalKafkaError when it is not the locked jar, ConnectionError when it is too short.
    """
    with tempfile.NamedTemporaryFile(dir=directory, prefix=jar.file_name, suffix=".part", delete=False) as part:
        path = Path(part.name)
        try:
            size = _copy(source, part.file, jar.size, advance)
            part.close()
            if size < jar.size:
                raise ConnectionError(f"it broke off after {size} of {jar.size} bytes")
            if not _is_intact(path, jar):
                raise LocalKafkaError(
                    f"{jar.file_name} from the Maven repository is not the locked jar (its SHA-256 differs) and was "
                    "removed: run it again, or set KEYSTATUS_MAVEN_REPOSITORY to a repository you trust"
                )
            path.replace(directory / jar.file_name)
        finally:
            path.unlink(missing_ok=True)


def _copy(source: BinaryIO, target: IO[bytes], limit: int, advance: Advance) -> int:
    """Copy until the end, or beyond `limit` bytes by one chunk at most; return the number of bytes copied."""
    copied = 0
    while copied <= limit and (chunk := source.read(_CHUNK_BYTES)):
        target.write(chunk)
        copied += len(chunk)
        advance(len(chunk))
    return copied


@contextmanager
def _progress(jars: Sequence[Jar]) -> Iterator[Advance]:
    """Show on standard error how the download goes: a bar on a terminal, else two lines."""
    total = sum(jar.size for jar in jars)
    title = f"Apache Kafka {KAFKA_VERSION}: {len(jars)} jars, {total / 1e6:.0f} MB"
    if not sys.stderr.isatty():
        sys.stderr.write(f"{title}: downloading\n")
        yield lambda _: None
        sys.stderr.write(f"{title}: done\n")
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda size: progress.advance(task, size)
