"""Starts the server and every application, drives them, and prints what came of it."""

import argparse
import os
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional
from urllib.parse import urlsplit

from apps import APPS, MIXED, TARGET, App, build, install, missing
from database import Database, missing_postgres, start_postgres
from drive import STEPS, drive
from processes import Processes, free_port
from store import Store

REQUIRED_IN_CI = ("node", "python", "rust")
AT_ONCE = 3


class Row(NamedTuple):
    sdk: str
    name: str
    outcomes: List[str]
    reason: str = ""
    log: Optional[Path] = None


def main() -> int:
    options = arguments()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sdk-") as scratch:
        processes = Processes(Path(scratch))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            rows = run(options, processes, Path(scratch))
            if any("FAILED" in row.outcomes for row in rows):
                print_end(processes.log("server"))
            return report(rows, time.monotonic() - began)
        finally:
            processes.stop()


def run(options: argparse.Namespace, processes: Processes, scratch: Path) -> List[Row]:
    if options.postgres and missing_postgres():
        outcome = "FAILED" if os.environ.get("CI") == "true" else "SKIPPED"
        return [Row("all", "on PostgreSQL", [outcome] * len(STEPS), f"needs {missing_postgres()}")]
    if options.server:
        database = options.database
    elif options.postgres:
        database = start_postgres(processes, scratch)
    else:
        database = Database(f"sqlite:{scratch / 'server.db'}")
    server = options.server or start_server(processes, scratch, database)
    store = Store(server, database)

    chosen = [app for app in APPS if not options.names or app.name in options.names]
    sdks = sorted({app.sdk for app in chosen})
    urls: Dict[str, str] = {}

    def prepared(sdk: str) -> Optional[Row]:
        """Installs an SDK; the row that stands for all its applications where that is not possible."""
        tool = missing(sdk)
        if tool is not None:
            fails = os.environ.get("CI") == "true" and sdk in REQUIRED_IN_CI
            return Row(sdk, "", ["FAILED" if fails else "SKIPPED"] * len(STEPS), f"needs {tool}")
        try:
            install(sdk, processes)
            return None
        except Exception as error:
            return failed(App(sdk, "", []), error, processes.log(f"{sdk} install"))

    def driven(app: App) -> Row:
        log = processes.log(app.name)
        if app.embedded and database is None:
            return Row(app.sdk, app.name, ["SKIPPED"] * len(STEPS), "needs --database")
        try:
            build(app, processes)
        except Exception as error:
            return failed(app, error, processes.log(f"{app.name} build"))
        port = free_port()
        env = {"PORT": str(port), "CONNECTION_URI": server, "NEXT_TELEMETRY_DISABLED": "1"}
        if app.embedded:
            env["STORE"] = database.url
        command = [word.format(port=port) for word in app.command]
        try:
            url = processes.serve(app.name, command, app.folder, env, port) + app.prefix
        except Exception as error:
            return failed(app, error, log)
        outcomes, reason = drive([url], store, app.atomic)
        if not app.prefix and not reason:  # a refresh token's cookie is for one path
            urls[app.name] = url
        return Row(app.sdk, app.name, outcomes, reason, log)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            not_prepared = {sdk: row for sdk, row in zip(sdks, pool.map(prepared, sdks)) if row is not None}
            ready = pool.map(driven, [app for app in chosen if app.sdk not in not_prepared])
            rows = {row.name: row for row in ready}
        except BaseException:  # interrupted: the pool waits for its threads, and those for their processes
            processes.stop()
            raise
    result = [rows.get(app.name) or not_prepared[app.sdk]._replace(name=app.name) for app in chosen]

    for name, url in options.app:
        outcomes, reason = drive([url], store)
        if not urlsplit(url).path and not reason:
            urls[name] = url
        result.append(Row("url", name, outcomes, reason))
    own = sorted(app.name for app in chosen if app.atomic and app.name in urls)
    for maker, user in [(a, b) for a in MIXED for b in own] + [(b, a) for a in MIXED for b in own]:
        if maker in urls and user in urls:
            outcomes = drive([urls[user]], store, user in own, made_by=urls[maker])
            result.append(Row("mixed", f"{maker}, then {user}", *outcomes))
    if len(own) > 1:
        result.append(Row("rust", "one session over all", *drive([urls[name] for name in own], store, True)))
    if len(urls) > 1:
        result.append(Row("all", "one session over all", *drive([urls[name] for name in sorted(urls)], store)))
    return result


def start_server(processes: Processes, scratch: Path, database: Database) -> str:
    binary = Path(os.environ.get("SUPERSESSION_BIN", TARGET / "debug" / "supersession")).resolve()
    if not binary.exists():
        sys.exit(f"there is no server at {binary}: build one, or name one by SUPERSESSION_BIN")
    port = free_port()
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--store", database.url]
    try:
        return processes.serve("server", command, scratch, {}, port)
    except RuntimeError as error:
        print_end(processes.log("server"))
        sys.exit(str(error))


def failed(app: App, error: Exception, log: Path) -> Row:
    return Row(app.sdk, app.name, ["FAILED", *["-"] * (len(STEPS) - 1)], str(error), log)


def report(rows: List[Row], seconds: float) -> int:
    for log in {row.log: None for row in rows if "FAILED" in row.outcomes and row.log is not None}:
        print_end(log)
    table = [["SDK", "application", *(name for name, _ in STEPS)], *([r.sdk, r.name, *r.outcomes] for r in rows)]
    widths = [max(map(len, column)) for column in zip(*table)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for row in rows:
        if row.reason:
            print(f"{row.sdk} {row.name}: {row.reason}")
    cells = [outcome for row in rows for outcome in row.outcomes]
    lost, skipped = cells.count("FAILED") + cells.count("-"), cells.count("SKIPPED")
    print(f"{seconds:.0f} seconds")
    print(f"{cells.count('ok')} passed, {lost} failed, {skipped} skipped")
    return 1 if lost or not cells else 0


def print_end(log: Path) -> None:
    if log.exists() and log.stat().st_size > 0:
        print(f"--- the end of {log.name}")
        print("\n".join(log.read_text(errors="replace").splitlines()[-30:]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    names = [app.name for app in APPS]
    parser.add_argument("names", nargs="*", metavar="application", help=f"which to run: {', '.join(names)}")
    parser.add_argument("--server", metavar="URL", help="use this running server")
    parser.add_argument(
        "--database", metavar="URL", type=named_database,
        help="its database, sqlite:FILE or postgres://.., to look into the tables, too",
    )
    parser.add_argument("--postgres", action="store_true", help="start PostgreSQL for the server, in place of SQLite")
    parser.add_argument(
        "--app", metavar="NAME=URL", action="append", default=[], type=named_url,
        help="drive this running application, too, which uses the same server",
    )
    options = parser.parse_args()
    unknown = set(options.names) - set(names)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    if options.server and options.postgres:
        parser.error("--postgres starts a server, and --server uses one")
    return options


def named_database(text: str) -> Database:
    if not text.startswith(("sqlite:", "postgres://", "postgresql://")):
        raise argparse.ArgumentTypeError("must be sqlite:FILE or postgres://..")
    return Database(text)


def named_url(text: str) -> List[str]:
    name, equals, url = text.partition("=")
    if not (name and equals and url.startswith("http")):
        raise argparse.ArgumentTypeError("must be NAME=URL")
    return [name, url.rstrip("/")]


if __name__ == "__main__":
    sys.exit(main())
