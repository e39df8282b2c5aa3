import uvicorn
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from supertokens_python.recipe.session.asyncio import create_new_session
from supertokens_python.recipe.session.framework.django.asyncio import verify_session
from supertokens_python.recipe.usermetadata.asyncio import (
    clear_user_metadata,
    get_user_metadata,
    update_user_metadata,
)
from supertokens_python.types import RecipeUserId

from common import HOST, PORT, notify_all_sessions, start
from django_project import configure


async def login(request: HttpRequest):
    await create_new_session(request, "public", RecipeUserId(request.GET["userId"]))
    return JsonResponse({"status": "OK"})


@verify_session()
async def session_data(request: HttpRequest):
    session = request.supertokens
    data = await session.get_session_data_from_database()
    visits = data.get("visits", 0) + 1
    await session.update_session_data_in_database({**data, "visits": visits})
    return JsonResponse({"visits": visits})


async def offline(request: HttpRequest):
    return JsonResponse(await notify_all_sessions(request.GET["userId"]))


@verify_session()
async def metadata(request: HttpRequest):
    user_id = request.supertokens.get_user_id()
    if request.method == "DELETE":
        await clear_user_metadata(user_id)
        return JsonResponse({})
    await update_user_metadata(user_id, {"theme": "dark", "draft": None})
    return JsonResponse((await get_user_metadata(user_id)).metadata)


urlpatterns = [
    path("login", login),
    path("session-data", session_data),
    path("offline", offline),
    path("metadata", metadata),
]

if __name__ == "__main__":
    start("django", "asgi")
    configure("django_async")
    uvicorn.run(get_asgi_application(), host=HOST, port=PORT, log_level="warning", lifespan="off")
