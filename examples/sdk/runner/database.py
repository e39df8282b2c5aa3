"""The database that the server keeps its sessions in: a SQLite file, or a PostgreSQL server."""

import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import List, Optional

from processes import PATIENCE, Processes, free_port

DEBIAN = Path("/usr/lib/postgresql")
SERVER_USER = "postgres"  # PostgreSQL refuses to run as root


class Database:
    def __init__(self, url: str):
        self.url = url  # as the server takes it

    def value(self, query: str, key: str) -> Optional[str]:
        """The one value that a query ending in `= ` finds for a key."""
        if self.url.startswith("sqlite:"):
            file = self.url[len("sqlite:"):]
            connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            try:
                row = connection.execute(f"{query} ?", (key,)).fetchone()
            finally:
                connection.close()
            return row[0] if row else None
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", f"key={key}", self.url]
        found = subprocess.run(command, input=f"{query} :'key'", capture_output=True, text=True, check=True)
        return found.stdout or None


def missing_postgres() -> Optional[str]:
    """What has to be installed for PostgreSQL, None if nothing."""
    if not all(map(program, ("initdb", "postgres", "psql"))):
        return "PostgreSQL (apt-get install postgresql)"
    return None


def program(name: str) -> Optional[str]:
    """Where a program of PostgreSQL is; Debian keeps those of the server out of the path."""
    versions = sorted(DEBIAN.glob("*"), key=lambda folder: int(folder.name) if folder.name.isdigit() else 0)
    folders = [os.environ.get("POSTGRES_BIN"), *(str(folder / "bin") for folder in reversed(versions))]
    found = (shutil.which(name, path=folder) for folder in folders if folder)
    return next(filter(None, found), None) or shutil.which(name)


def start_postgres(processes: Processes, scratch: Path) -> Database:
    """Starts a PostgreSQL server with an empty database, on a port of its own."""
    folder = scratch / "postgres"
    folder.mkdir()
    if os.getuid() == 0:
        scratch.chmod(0o711)
        shutil.chown(folder, SERVER_USER, SERVER_USER)
    init = [program("initdb"), f"--pgdata={folder / 'data'}", "--username=tester", "--auth=trust"]
    processes.run("initdb", as_server([*init, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]), folder)
    port = free_port()
    settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
    command = [program("postgres"), "-D", str(folder / "data")]
    for setting in settings:
        command += ["-c", setting]
    process = processes.start("postgres", as_server(command), folder, {})
    database = Database(f"postgres://tester@127.0.0.1:{port}/postgres")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended with status {process.returncode}")
        try:
            database.value("SELECT 'ready' WHERE 'ready' = ", "ready")
            return database
        except subprocess.CalledProcessError:
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not answer within {PATIENCE} seconds")


def as_server(command: List[str]) -> List[str]:
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid", SERVER_USER, "--regid", SERVER_USER, "--init-groups", *command]
