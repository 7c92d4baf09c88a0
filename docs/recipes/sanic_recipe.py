from sanic import Sanic
from sanic.response import json

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    app = Sanic("shop")

    @app.get("/messenger/settings")
    async def messenger_settings(request):
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.host):
            return json(None, 401 if user_id is None else 403, headers=dict(NO_STORE))
        return json(await abuild_settings(user_id), headers=dict(NO_STORE))

    return app
