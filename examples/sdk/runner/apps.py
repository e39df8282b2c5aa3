"""The applications, and the toolchains that they need."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from processes import Processes

HERE = Path(__file__).resolve().parent.parent
VENV = HERE / "python" / ".venv"
ROOT = HERE.parent.parent
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
NEXT = "node_modules/next/dist/bin/next"


class App(NamedTuple):
    sdk: str
    name: str
    command: List[str]  # {port} stands for the port
    prefix: str = ""
    embedded: bool = False  # opens the server's database itself

    @property
    def atomic(self) -> bool:
        """Whether it changes documents in one step; the other SDKs read and overwrite them."""
        return self.sdk == "rust"

    @property
    def folder(self) -> Path:
        return HERE / self.sdk


def node(name: str, *command: str, prefix: str = "") -> App:
    return App("node", name, ["node", *command], prefix)


def python(name: str, file: str) -> App:
    return App("python", name, [str(VENV / "bin" / "python"), file])


def rust(name: str, binary: str, embedded: bool = False) -> App:
    return App("rust", name, [str(TARGET / "debug" / binary)], embedded=embedded)


APPS = [
    node("express", "express.mjs"),
    node("hapi", "hapi.mjs"),
    node("fastify", "fastify.mjs"),
    node("koa", "koa.mjs"),
    node("loopback", "--import", "tsx", "loopback.ts"),
    node("lambda", "lambda/gateway.mjs"),
    node("next-pages", NEXT, "start", "next-pages", "-H", "127.0.0.1", "-p", "{port}", prefix="/api"),
    node("next-app", NEXT, "start", "next-app", "-H", "127.0.0.1", "-p", "{port}", prefix="/api"),
    node("nest", "--import", "tsx", "nest.ts"),
    python("fastapi", "fastapi_app.py"),
    python("flask", "flask_app.py"),
    python("django-async", "django_async.py"),
    python("django-sync", "django_sync.py"),
    App("go", "net-http", ["bin/net-http"]),
    rust("axum", "sdk-axum"),
    rust("axum-embedded", "sdk-axum", embedded=True),
    rust("actix", "sdk-actix"),
    rust("actix-embedded", "sdk-actix", embedded=True),
]
# One application of each other SDK: its sessions are used by each in Rust, and the other way round.
MIXED = ("express", "fastapi", "net-http")


def missing(sdk: str) -> Optional[str]:
    """What has to be installed for this SDK, None if nothing."""
    if sdk == "node":
        found = version("node", "--version")
        if found < (20, 9) or shutil.which("npm") is None:
            return "Node.js 20.9 or newer, with npm"
    if sdk == "python":
        check = [sys.executable, "-c", "import ensurepip, venv"]
        if sys.version_info < (3, 10) or subprocess.run(check, capture_output=True, check=False).returncode:
            return "Python 3.10 or newer, with venv"
    if sdk == "go" and version("go", "version") < (1, 22):
        return "Go 1.22 or newer"
    if sdk == "rust" and shutil.which("cargo") is None:
        return "Rust (cargo)"
    return None


def version(*command: str) -> Tuple[int, ...]:
    if shutil.which(command[0]) is None:
        return ()
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else ()


def install(sdk: str, processes: Processes) -> None:
    """Installs the locked dependencies, unless the last run has."""
    name = f"{sdk} install"
    if sdk == "node" and stale(HERE / "node" / "node_modules", "package-lock.json"):
        processes.run(name, ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], HERE / "node")
        stamp(HERE / "node" / "node_modules", "package-lock.json")
    if sdk == "python" and stale(VENV, "requirements.txt"):
        processes.run(name, [sys.executable, "-m", "venv", "--clear", str(VENV)], HERE / "python")
        pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--requirement", "requirements.txt"]
        processes.run(name, pip, HERE / "python")
        stamp(VENV, "requirements.txt")
    if sdk == "go":
        processes.run(name, ["go", "build", "-o", "bin/net-http", "."], HERE / "go")
    if sdk == "rust":
        processes.run(name, ["cargo", "build", "--locked", "--package", "sdk-rust"], ROOT)


def build(app: App, processes: Processes) -> None:
    """What an application needs before it starts."""
    if app.name.startswith("next-"):
        off = {"NEXT_TELEMETRY_DISABLED": "1"}
        processes.run(f"{app.name} build", ["node", NEXT, "build", app.name], app.folder, off)


def stale(installed: Path, lock: str) -> bool:
    mark = installed / ".lock-digest"
    return not mark.exists() or mark.read_text() != digest(installed.parent / lock)


def stamp(installed: Path, lock: str) -> None:
    (installed / ".lock-digest").write_text(digest(installed.parent / lock))


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
