from aiohttp import web

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    async def messenger_settings(request):
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.host):
            return web.json_response(None, status=401 if user_id is None else 403, headers=NO_STORE)
        return web.json_response(await abuild_settings(user_id), headers=NO_STORE)

    app = web.Application()
    app.add_routes([web.get("/messenger/settings", messenger_settings)])
    return app
