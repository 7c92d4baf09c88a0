from quart import Quart, request

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    app = Quart(__name__)

    @app.get("/messenger/settings")
    async def messenger_settings():
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.host):
            return {}, 401 if user_id is None else 403, dict(NO_STORE)
        return await abuild_settings(user_id), dict(NO_STORE)

    return app
