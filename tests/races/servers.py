"""Private database servers, on a free port and in a folder of their own, that a test may kill."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url

from tests import databases


class MissingError(Exception):
    """A program that the server needs is not installed."""


def program(name: str, *folders: Path) -> str:
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingError(f"There is no program {name}.")
    return found


class Server:
    """It answers on 127.0.0.1. Servers refuse to run as root, so another user owns it."""

    user: str
    crash: signal.Signals

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="syncfields-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.as_user: dict[str, Any] = {}
        if os.getuid() == 0:
            try:
                shutil.chown(self.folder, self.user)
            except LookupError as error:
                raise MissingError(f"There is no user {self.user}.") from error
            self.as_user = {"user": self.user, "group": self.user}
        self.process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def url(self) -> str:
        """Where it is, with the name of a database that does not exist yet."""
        raise NotImplementedError

    def run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **self.as_user
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdout=log, stderr=log, **self.as_user
            )
        self.wait()

    def wait(self) -> None:
        end = time.monotonic() + 60
        while not self.answers():
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "The server does not answer."
            time.sleep(0.1)

    def answers(self) -> bool:
        raise NotImplementedError

    def stop(self) -> None:
        """As in a power cut: nobody is asked, and nothing is written any more."""
        assert self.process is not None
        self.process.send_signal(self.crash)
        self.process.wait()
        self.process = None


class PostgreSQL(Server):
    user = "postgres"
    # An immediate shutdown. SIGKILL would leave the processes of the connections behind.
    crash = signal.SIGQUIT

    def install(self) -> None:
        initdb = self.program("initdb")
        self.run(initdb, "--username=postgres", "--auth=trust", "--no-sync", f"{self.folder}/data")

    def program(self, name: str) -> str:
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        if pg_config := shutil.which("pg_config"):
            folder = subprocess.check_output([pg_config, "--bindir"], text=True)
            folders = [Path(folder.strip()), *folders]
        return program(name, *folders)

    def command(self) -> list[str]:
        options = ["-D", f"{self.folder}/data", "-h", "127.0.0.1", "-p", str(self.port)]
        return [self.program("postgres"), *options, "-k", str(self.folder)]

    @property
    def url(self) -> str:
        # What is committed is to be there after a crash, other than in the other tests.
        options = "options=-c%20synchronous_commit%3Don"
        return f"postgresql://postgres@127.0.0.1:{self.port}/syncfields?{options}"

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(
                host="127.0.0.1", port=self.port, user="postgres", dbname="postgres"
            ).close()
        except psycopg.OperationalError:
            return False
        return True


class MariaDB(Server):
    user = "mysql"
    crash = signal.SIGKILL

    def install(self) -> None:
        self.run(
            program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        )

    def command(self) -> list[str]:
        return [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.folder}/data",
            f"--port={self.port}",
            f"--socket={self.folder}/socket",
            f"--pid-file={self.folder}/pid",
            "--bind-address=127.0.0.1",
            "--innodb-log-file-size=16M",
        ]

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/syncfields"

    def answers(self) -> bool:
        import pymysql

        try:
            pymysql.connect(host="127.0.0.1", port=self.port, user="root").close()
        except pymysql.OperationalError:
            return False
        return True


class PgBouncer(PostgreSQL):
    """Before the PostgreSQL of the tests, so that few connections of it serve all clients. Each
    transaction gets another one than the last had, so that what outlives one is soon missed.
    """

    crash = signal.SIGTERM
    size = 4

    def install(self) -> None:
        behind = dj_database_url.parse(databases.url("postgresql"))
        login = {
            "host": behind["HOST"],
            "port": behind["PORT"],
            "user": behind["USER"],
            "password": behind["PASSWORD"],
            # As the other tests have it. SET would be of a session, which is what is pooled.
            "connect_query": "'SET synchronous_commit = off'",
        }
        options = " ".join(f"{name}={value}" for name, value in login.items() if value)
        (self.folder / "ini").write_text(
            f"""\
[databases]
* = {options}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {self.size}
min_pool_size = {self.size}
server_round_robin = 1
"""
        )

    def command(self) -> list[str]:
        return [program("pgbouncer"), f"{self.folder}/ini"]

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        server.install()
        server.start()
        yield server
    finally:
        if server.process is not None:
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


SERVERS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}
