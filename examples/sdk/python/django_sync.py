from wsgiref.simple_server import make_server

from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from supertokens_python.recipe.session.framework.django.syncio import verify_session
from supertokens_python.recipe.session.syncio import create_new_session
from supertokens_python.recipe.usermetadata.syncio import (
    clear_user_metadata,
    get_user_metadata,
    update_user_metadata,
)
from supertokens_python.types import RecipeUserId

from common import HOST, PORT, notify_all_sessions_sync, start
from django_project import configure


def login(request: HttpRequest):
    create_new_session(request, "public", RecipeUserId(request.GET["userId"]))
    return JsonResponse({"status": "OK"})


@verify_session()
def session_data(request: HttpRequest):
    session = request.supertokens
    data = session.sync_get_session_data_from_database()
    visits = data.get("visits", 0) + 1
    session.sync_update_session_data_in_database({**data, "visits": visits})
    return JsonResponse({"visits": visits})


def offline(request: HttpRequest):
    return JsonResponse(notify_all_sessions_sync(request.GET["userId"]))


@verify_session()
def metadata(request: HttpRequest):
    user_id = request.supertokens.get_user_id()
    if request.method == "DELETE":
        clear_user_metadata(user_id)
        return JsonResponse({})
    update_user_metadata(user_id, {"theme": "dark", "draft": None})
    return JsonResponse(get_user_metadata(user_id).metadata)


urlpatterns = [
    path("login", login),
    path("session-data", session_data),
    path("offline", offline),
    path("metadata", metadata),
]

if __name__ == "__main__":
    start("django", "wsgi")
    configure("django_sync")
    make_server(HOST, PORT, get_wsgi_application()).serve_forever()
