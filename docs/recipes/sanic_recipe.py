from sanic import Sanic
from sanic.response import json

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    app = Sanic("shop")

    @app.get("/messenger/settings")
    async def messenger_settings(request):
        made = await asettings_response(default_builder(), session_user(request), request.headers, request.host)
        return json(made.body, made.status, headers=made.headers)

    return app
