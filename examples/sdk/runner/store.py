"""What is stored, asked in two ways: through the server's interface, and in the database's tables."""

import json
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional

from database import Database


class Store:
    def __init__(self, server: str, database: Optional[Database]):
        self.server = server
        self.database = database

    def session_data(self, handle: str) -> Optional[Dict[str, Any]]:
        """The data of a session, None if there is no such session."""
        answer = self.ask("GET", "/recipe/session", sessionHandle=handle)
        data = answer["userDataInDatabase"] if answer["status"] == "OK" else None
        self.same(data, "session_data", "session_info", "session_handle", handle)
        return data

    def metadata(self, user: str) -> Dict[str, Any]:
        data = self.ask("GET", "/recipe/user/metadata", userId=user)["metadata"]
        self.same(data or None, "user_metadata", "user_metadata", "user_id", user)
        return data

    def put_metadata(self, user: str, update: Dict[str, Any]) -> None:
        body = json.dumps({"userId": user, "metadataUpdate": update}).encode()
        self.ask("PUT", "/recipe/user/metadata", body)

    def handles(self, user: str) -> List[str]:
        return sorted(self.ask("GET", "/recipe/session/user", userId=user)["sessionHandles"])

    def ask(self, method: str, path: str, body: Optional[bytes] = None, **query: str) -> Dict[str, Any]:
        url = f"{self.server}{path}?{urllib.parse.urlencode(query)}"
        headers = {"cdi-version": "5.4", "content-type": "application/json"}
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            return json.load(response)

    def same(self, told: Optional[Dict[str, Any]], column: str, table: str, key: str, of: str) -> None:
        """Holds what the server told against the row."""
        if self.database is None:
            return
        text = self.database.value(f"SELECT {column} FROM {table} WHERE {key} = ", of)
        stored = json.loads(text) if text else None
        if stored != told:
            raise AssertionError(f"the server told {told}, the table has {stored}")
