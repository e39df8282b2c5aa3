import os
from typing import Any, Dict, Literal

from supertokens_python import InputAppInfo, SupertokensConfig, init
from supertokens_python.recipe import session, usermetadata
from supertokens_python.recipe.session import asyncio as aio
from supertokens_python.recipe.session import syncio

HOST = "127.0.0.1"
PORT = int(os.environ.get("PORT", "3000"))
NOTICE = {"notice": "terms changed"}


def start(framework: Literal["fastapi", "flask", "django"], mode: Literal["asgi", "wsgi"]) -> None:
    init(
        framework=framework,
        mode=mode,
        app_info=InputAppInfo(
            app_name="SDK examples",
            api_domain=f"http://localhost:{PORT}",
            website_domain=f"http://localhost:{PORT}",
        ),
        supertokens_config=SupertokensConfig(
            connection_uri=os.environ.get("CONNECTION_URI", "http://localhost:3567")
        ),
        recipe_list=[session.init(), usermetadata.init()],
        telemetry=False,
    )


# Session data without a verified request: all sessions of a user, by handle.


async def notify_all_sessions(user_id: str) -> Dict[str, Any]:
    handles = await aio.get_all_session_handles_for_user(user_id)
    for handle in handles:
        info = await aio.get_session_information(handle)
        if info is None:  # it ended meanwhile
            continue
        data = {**info.session_data_in_database, **NOTICE}
        await aio.update_session_data_in_database(handle, data)
    return {"sessions": len(handles)}


def notify_all_sessions_sync(user_id: str) -> Dict[str, Any]:
    handles = syncio.get_all_session_handles_for_user(user_id)
    for handle in handles:
        info = syncio.get_session_information(handle)
        if info is None:  # it ended meanwhile
            continue
        data = {**info.session_data_in_database, **NOTICE}
        syncio.update_session_data_in_database(handle, data)
    return {"sessions": len(handles)}
