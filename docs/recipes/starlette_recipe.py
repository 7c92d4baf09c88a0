from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    async def messenger_settings(request):
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.url.netloc):
            return JSONResponse(None, 401 if user_id is None else 403, NO_STORE)
        return JSONResponse(await abuild_settings(user_id), headers=NO_STORE)

    return Starlette(routes=[Route("/messenger/settings", messenger_settings)])
