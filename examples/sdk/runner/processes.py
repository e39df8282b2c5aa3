"""Starts processes, waits until they answer, and stops exactly those."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Dict, List, Optional

PATIENCE = 120  # seconds that a server may take until it answers
# Below those that systems give to outgoing connections, so that none of these takes a port before its server does.
PORTS = iter(random.sample(range(20_000, 32_000), 1_000))
LOCAL = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


class Processes:
    def __init__(self, logs: Path):
        self.logs = logs
        self.started: List[subprocess.Popen] = []
        self.stopping = False
        self.lock = threading.Lock()

    def serve(self, name: str, command: List[str], cwd: Path, env: Dict[str, str], port: int) -> str:
        """The address of the started server, once it answers."""
        process = self.start(name, command, cwd, env)
        url = f"http://127.0.0.1:{port}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with status {process.returncode}")
            try:
                opener.open(url, timeout=PATIENCE).close()
                return url
            except urllib.error.HTTPError:
                return url  # an answer, whichever
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{name} did not answer within {PATIENCE} seconds")

    def run(self, name: str, command: List[str], cwd: Path, env: Optional[Dict[str, str]] = None) -> None:
        """Runs a command to its end."""
        status = self.start(name, command, cwd, env or {}).wait()
        if status != 0:
            raise RuntimeError(f"{' '.join(command[:3])} ended with status {status}")

    def start(self, name: str, command: List[str], cwd: Path, env: Dict[str, str]) -> subprocess.Popen:
        with self.lock, self.log(name).open("ab") as log:
            if self.stopping:
                raise RuntimeError("interrupted")
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**os.environ, **LOCAL, **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, so that its children can be stopped with it
            )
            self.started.append(process)
        return process

    def log(self, name: str) -> Path:
        return self.logs / f"{name.replace(' ', '-')}.log"

    def stop(self) -> None:
        with self.lock:
            self.stopping = True
        for process in self.started:
            signal_group(process, signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                signal_group(process, signal.SIGKILL)
                process.wait()


def signal_group(process: subprocess.Popen, which: signal.Signals) -> None:
    if process.poll() is None:
        os.killpg(process.pid, which)


def free_port() -> int:
    for port in PORTS:
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue  # somebody else's
    raise RuntimeError("no port is free")
