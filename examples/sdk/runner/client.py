"""One client of an application, as a browser SDK is one: it keeps what it is sent, and sends it back."""

import base64
import copy
import itertools
import json
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import Any, List, NamedTuple, Optional

ACCESS, REFRESH = "sAccessToken", "sRefreshToken"
ACCESS_HEADER, REFRESH_HEADER = "st-access-token", "st-refresh-token"


class Answer(NamedTuple):
    status: int
    body: Any


class Client:
    """With several urls, each call goes to the next of them, as if a load balancer stood before them.

    The first call goes to `first`, if there is one.
    """

    def __init__(self, urls: List[str], mode: str, first: Optional[str] = None):
        self.urls = itertools.chain([first] if first else [], itertools.cycle(urls))
        self.mode = mode  # how tokens travel: "cookie" or "header"
        self.jar = CookieJar()
        self.kept = {}

    def post(self, path: str) -> Answer:
        return self.call("POST", path)

    def delete(self, path: str) -> Answer:
        return self.call("DELETE", path)

    def call(self, method: str, path: str) -> Answer:
        headers = {"st-auth-mode": self.mode, "rid": "session"}
        token = self.refresh_token() if path == "/auth/session/refresh" else self.access_token()
        if self.mode == "header" and token:
            headers["authorization"] = f"Bearer {token}"
        url = next(self.urls) + path
        request = urllib.request.Request(url, method=method, headers=headers)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )
        try:
            with opener.open(request, timeout=60) as response:
                return self.read(response)
        except urllib.error.HTTPError as error:
            with error:
                return self.read(error)

    def read(self, response: Any) -> Answer:
        for name in (ACCESS_HEADER, REFRESH_HEADER):
            value = response.headers.get(name)
            if value is not None:
                self.kept[name] = value
        text = response.read()
        try:
            return Answer(response.status, json.loads(text))
        except ValueError:
            return Answer(response.status, text.decode(errors="replace")[:200])

    def access_token(self) -> Optional[str]:
        return self.token(ACCESS, ACCESS_HEADER)

    def refresh_token(self) -> Optional[str]:
        return self.token(REFRESH, REFRESH_HEADER)

    def token(self, cookie: str, header: str) -> Optional[str]:
        if self.mode == "header":
            return self.kept.get(header) or None
        return next((c.value for c in self.jar if c.name == cookie and c.value), None)

    def handle(self) -> str:
        """The session's handle, which the access token tells."""
        payload = self.access_token().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims["sessionHandle"]

    def thief(self) -> "Client":
        """Another client with the tokens that this one has now."""
        other = copy.copy(self)
        other.kept = dict(self.kept)
        other.jar = CookieJar()
        for cookie in self.jar:
            other.jar.set_cookie(cookie)
        return other
