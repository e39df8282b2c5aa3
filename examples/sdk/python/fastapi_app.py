import uvicorn
from fastapi import Depends, FastAPI, Request
from supertokens_python.framework.fastapi import get_middleware
from supertokens_python.recipe.session import SessionContainer
from supertokens_python.recipe.session.asyncio import create_new_session
from supertokens_python.recipe.session.framework.fastapi import verify_session
from supertokens_python.recipe.usermetadata.asyncio import (
    clear_user_metadata,
    get_user_metadata,
    update_user_metadata,
)
from supertokens_python.types import RecipeUserId

from common import HOST, PORT, notify_all_sessions, start

start("fastapi", "asgi")

app = FastAPI()
app.add_middleware(get_middleware())


@app.post("/login")
async def login(request: Request, userId: str):
    await create_new_session(request, "public", RecipeUserId(userId))
    return {"status": "OK"}


@app.post("/session-data")
async def session_data(session: SessionContainer = Depends(verify_session())):
    data = await session.get_session_data_from_database()
    visits = data.get("visits", 0) + 1
    await session.update_session_data_in_database({**data, "visits": visits})
    return {"visits": visits}


@app.post("/offline")
async def offline(userId: str):
    return await notify_all_sessions(userId)


@app.post("/metadata")
async def update_metadata(session: SessionContainer = Depends(verify_session())):
    await update_user_metadata(session.get_user_id(), {"theme": "dark", "draft": None})
    return (await get_user_metadata(session.get_user_id())).metadata


@app.delete("/metadata")
async def clear_metadata(session: SessionContainer = Depends(verify_session())):
    await clear_user_metadata(session.get_user_id())
    return {}


uvicorn.run(app, host=HOST, port=PORT, log_level="warning")
