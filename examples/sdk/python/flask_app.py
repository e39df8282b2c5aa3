from flask import Flask, g, jsonify, request
from supertokens_python.framework.flask import Middleware
from supertokens_python.recipe.session import SessionContainer
from supertokens_python.recipe.session.framework.flask import verify_session
from supertokens_python.recipe.session.syncio import create_new_session
from supertokens_python.recipe.usermetadata.syncio import (
    clear_user_metadata,
    get_user_metadata,
    update_user_metadata,
)
from supertokens_python.types import RecipeUserId

from common import HOST, PORT, notify_all_sessions_sync, start

start("flask", "wsgi")

app = Flask(__name__)
Middleware(app)


@app.post("/login")
def login():
    create_new_session(request, "public", RecipeUserId(request.args["userId"]))
    return jsonify(status="OK")


@app.post("/session-data")
@verify_session()
def session_data():
    session: SessionContainer = g.supertokens
    data = session.sync_get_session_data_from_database()
    visits = data.get("visits", 0) + 1
    session.sync_update_session_data_in_database({**data, "visits": visits})
    return jsonify(visits=visits)


@app.post("/offline")
def offline():
    return jsonify(notify_all_sessions_sync(request.args["userId"]))


@app.post("/metadata")
@verify_session()
def update_metadata():
    user_id = g.supertokens.get_user_id()
    update_user_metadata(user_id, {"theme": "dark", "draft": None})
    return jsonify(get_user_metadata(user_id).metadata)


@app.delete("/metadata")
@verify_session()
def clear_metadata():
    clear_user_metadata(g.supertokens.get_user_id())
    return jsonify({})


app.run(host=HOST, port=PORT)
