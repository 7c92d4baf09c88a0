from litestar import Litestar, MediaType, Request, Response, get

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    @get("/messenger/settings")
    async def messenger_settings(request: Request) -> Response:
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.url.netloc):
            return Response(None, status_code=401 if user_id is None else 403, headers=dict(NO_STORE))
        return Response(await abuild_settings(user_id), media_type=MediaType.JSON, headers=dict(NO_STORE))

    return Litestar([messenger_settings], openapi_config=None)
