"""The steps that every application is driven through. Each looks into the store for what it did."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional, Tuple

from client import Client
from store import Store

NOTICE = {"notice": "terms changed"}
AT_ONCE, REQUESTS = 8, 40


def equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: {found!r} instead of {expected!r}")


class Drive:
    """One user of an application, with two sessions: tokens in cookies, and tokens in headers."""

    def __init__(self, urls: List[str], store: Store, made_by: Optional[str] = None):
        self.urls, self.store = urls, store
        self.user = f"user-{uuid.uuid4()}"
        self.cookies, self.headers = Client(urls, "cookie", made_by), Client(urls, "header", made_by)
        self.clients = (self.cookies, self.headers)
        self.handles: Dict[Client, str] = {}

    def login(self) -> None:
        for client in self.clients:
            equal(client.post(f"/login?userId={self.user}"), (200, {"status": "OK"}), "login")
            self.handles[client] = client.handle()
            self.stored(client, {})
        equal(self.store.handles(self.user), sorted(self.handles.values()), "the user's sessions")

    def session_data(self) -> None:
        """With a verified request."""
        for client, visits in ((self.cookies, 1), (self.cookies, 2), (self.headers, 1)):
            self.visit(client, visits, {"visits": visits})
        self.stored(self.cookies, {"visits": 2})

    def offline(self) -> None:
        """Without one: no client, no token."""
        answer = Client(self.urls, "header").post(f"/offline?userId={self.user}")
        equal(answer, (200, {"sessions": 2}), "offline")
        self.stored(self.cookies, {"visits": 2, **NOTICE})
        self.stored(self.headers, {"visits": 1, **NOTICE})

    def metadata(self) -> None:
        self.store.put_metadata(self.user, {"plan": "free", "draft": "to be deleted"})
        merged = {"plan": "free", "theme": "dark"}
        equal(self.cookies.post("/metadata"), (200, merged), "metadata")
        equal(self.store.metadata(self.user), merged, "the stored metadata")
        equal(self.headers.delete("/metadata"), (200, {}), "clearing the metadata")
        equal(self.store.metadata(self.user), {}, "the cleared metadata")

    def refresh(self) -> None:
        for client, visits in ((self.cookies, 3), (self.headers, 2)):
            before = (client.access_token(), client.refresh_token())
            equal(client.post("/auth/session/refresh").status, 200, "refresh")
            if client.access_token() == before[0] or client.refresh_token() == before[1]:
                raise AssertionError("refresh: the tokens are the old ones")
            equal(client.handle(), self.handles[client], "the refreshed session")
            self.visit(client, visits, {"visits": visits, **NOTICE})

    def sign_out(self) -> None:
        for client in self.clients:
            thief = client.thief()
            equal(client.post("/auth/signout").status, 200, "sign-out")
            equal((client.access_token(), client.refresh_token()), (None, None), "the client's tokens")
            self.stored(client, None)
            equal(client.post("/session-data").status, 401, "a request without tokens")
            equal(thief.post("/session-data").status, 401, "a request with tokens of the ended session")
            equal(thief.post("/auth/session/refresh").status, 401, "a refresh of the ended session")
        equal(self.store.handles(self.user), [], "the user's sessions")

    def at_once(self) -> None:
        """Changes that meet are all there, and refreshes that meet lead to one successor."""
        client = Client(self.urls, "header")
        equal(client.post(f"/login?userId={self.user}").status, 200, "login")
        handle = client.handle()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(lambda _: client.post("/session-data"), range(REQUESTS)))
            equal({answer.status for answer in answers}, {200}, "changes at once")
            visits = {answer.body["visits"] for answer in answers}
            lost = sorted(set(range(1, REQUESTS + 1)) - visits)
            equal(lost, [], "visits that nobody was told of")
            equal(self.store.session_data(handle), {"visits": REQUESTS}, "the stored session data")
            tabs = [client.thief() for _ in range(AT_ONCE)]
            answers = list(pool.map(lambda tab: tab.post("/auth/session/refresh").status, tabs))
        equal(answers, [200] * AT_ONCE, "refreshes at once")
        successors = {tab.refresh_token() for tab in tabs}
        equal(len(successors), 1, "successors of one refresh token")
        if client.refresh_token() in successors:
            raise AssertionError("refreshes at once: the token is the old one")
        for tab in tabs:
            equal(tab.handle(), handle, "the refreshed session")
        equal(tabs[0].post("/auth/signout").status, 200, "sign-out")
        equal(self.store.session_data(handle), None, "the stored session data")

    def visit(self, client: Client, visits: int, data: Dict[str, Any]) -> None:
        equal(client.post("/session-data"), (200, {"visits": visits}), "session data")
        self.stored(client, data)

    def stored(self, client: Client, data: Any) -> None:
        equal(self.store.session_data(self.handles[client]), data, "the stored session data")


STEPS: List[Tuple[str, Callable[[Drive], None]]] = [
    ("login", Drive.login),
    ("session data", Drive.session_data),
    ("offline", Drive.offline),
    ("metadata", Drive.metadata),
    ("refresh", Drive.refresh),
    ("sign-out", Drive.sign_out),
    ("at once", Drive.at_once),
]


def drive(
    urls: List[str], store: Store, atomic: bool = False, made_by: Optional[str] = None
) -> Tuple[List[str], str]:
    """Each step's outcome, and why the first one that failed did. What is after that one is not reached.

    Only applications that are `atomic` are asked for changes at once: others read, and overwrite what was there.
    """
    user = Drive(urls, store, made_by)
    outcomes: List[str] = []
    for name, step in STEPS:
        if step is Drive.at_once and not atomic:
            outcomes.append("n/a")
            continue
        try:
            step(user)
        except Exception as error:  # whatever an application or the network comes up with
            rest = len(STEPS) - len(outcomes) - 1
            return [*outcomes, "FAILED", *["-"] * rest], f"{name}: {error or type(error).__name__}"
        outcomes.append("ok")
    return outcomes, ""
