#!/usr/bin/env python3
"""What the standalone core costs: start, memory at rest and with sessions, requests per second.

    benches/server/measure.py target/release/supersession [--store URL] [--seconds 3] [--sessions 100000]

Needs wrk. Without --store, a fresh SQLite file. The figures are for one machine at one time: compare within a run."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LOAD = Path(__file__).with_name("load.lua")
HEADERS = {"cdi-version": "5.4", "content-type": "application/json"}


class Server:
    """A running server."""

    def __init__(self, binary, store):
        began = time.perf_counter()
        arguments = [binary, "--store", store, "--port", "0", "--log-format", "json"]
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r"127\.0\.0\.1:(\d+)|localhost:(\d+)|\[::1\]:(\d+)", line)
            if found:
                self.port = int(next(port for port in found.groups() if port))
                break
        else:
            sys.exit("the server did not start")
        self.drain = ThreadPoolExecutor(1)
        self.drain.submit(self.process.stderr.read)
        self.call("GET", "/hello")
        self.start_ms = (time.perf_counter() - began) * 1_000

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        url = f"http://localhost:{self.port}{path}"
        request = urllib.request.Request(url, data, HEADERS, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
        return json.loads(text) if text.startswith("{") else text

    def resident_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1_024

    def create(self, number):
        body = {
            "userId": f"user-{number}",
            "userDataInJWT": {"plan": "pro"},
            "userDataInDatabase": {"cart": [], "visits": 0},
            "enableAntiCsrf": False,
        }
        return self.call("POST", "/recipe/session", body)

    def load(self, requests, connections, seconds):
        """Requests per second, median latency in milliseconds, and how many were not answered with OK."""
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
            for method, path, body in requests:
                file.write(f"{method}\t{path}\t{json.dumps(body) if body else ''}\n")
            file.flush()
            url = f"http://localhost:{self.port}"
            arguments = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", str(LOAD), url]
            output = subprocess.run(
                [*arguments, "--", file.name, "2"], capture_output=True, text=True, check=True
            ).stdout
        count, microseconds, median, failed = map(int, re.search(r"RESULT (.*)", output).group(1).split())
        return count / microseconds * 1e6, median / 1_000, failed

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--store")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, options.store or f"sqlite:{folder}/sessions.db")


def measure(options, store):
    print(f"binary: {os.path.getsize(options.binary) / 1e6:.1f} MB")
    first = Server(options.binary, store)
    first.call("GET", "/.well-known/jwks.json")
    print(f"first start to first answer: {first.start_ms:.0f} ms")
    first.stop()
    starts = []
    for _ in range(5):
        server = Server(options.binary, store)
        starts.append(server.start_ms)
        server.stop()
    print(f"later starts: {sorted(starts)[2]:.0f} ms, median of five")
    server = Server(options.binary, store)
    print(f"resident at rest: {server.resident_mb():.1f} MB")

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(server.create, range(2_000)))
    handles = [session["session"]["handle"] for session in made]
    refreshing = [
        ("POST", "/recipe/session/refresh", {"refreshToken": session["refreshToken"]["token"], "enableAntiCsrf": False, "useDynamicSigningKey": True})
        for session in made
    ]
    creating = [
        ("POST", "/recipe/session", {"userId": f"load-{number}", "userDataInJWT": {"plan": "pro"}, "userDataInDatabase": {"cart": []}, "enableAntiCsrf": False, "useDynamicSigningKey": True})
        for number in range(5_000)
    ]
    verifying = [
        ("POST", "/recipe/session/verify", {"accessToken": session["accessToken"]["token"], "enableAntiCsrf": False, "doAntiCsrfCheck": False, "checkDatabase": True})
        for session in made
    ]
    updating = [
        ("PUT", "/recipe/session/data", {"sessionHandle": handle, "userDataInDatabase": {"cart": [number]}})
        for number, handle in enumerate(handles)
    ]
    print("| requests | connections | per second | median ms | failed |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, requests, connections in [
        ("verify with the database", verifying, 64),
        ("data updates, 2,000 sessions", updating, 64),
        ("data updates, one session", updating[:2], 64),
        ("key set", [("GET", "/.well-known/jwks.json", None)] * 2, 64),
        # Once exchanged, a token leads to the same successor again: the same work, and the same signature.
        ("refresh", refreshing, 64),
        ("create", creating, 64),
    ]:
        rate, median, failed = server.load(requests, connections, options.seconds)
        print(f"| {name} | {connections} | {rate:,.0f} | {median:.1f} | {failed} |", flush=True)

    made = int(re.search(r"^supersession_sessions_created_total (\d+)", server.call("GET", "/metrics"), re.M).group(1))
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(server.create, range(max(0, options.sessions - made))))
    print(f"resident with {options.sessions:,} sessions, after load: {server.resident_mb():.1f} MB")
    server.stop()


if __name__ == "__main__":
    main()
