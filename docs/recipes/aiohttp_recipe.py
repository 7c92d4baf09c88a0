from aiohttp import web

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    async def messenger_settings(request):
        made = await asettings_response(default_builder(), session_user(request), request.headers, request.host)
        return web.json_response(made.body, status=made.status, headers=made.headers)

    app = web.Application()
    app.add_routes([web.get("/messenger/settings", messenger_settings)])
    return app
