from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from fin_messenger_auth import TokenPairBuilder
from fin_messenger_auth.page import NO_STORE


def make_app(user_id_of):
    # One secret for each platform: IOS_INTERCOM_MESSENGER_SECRET, ANDROID_INTERCOM_MESSENGER_SECRET and so on.
    builders = {name: TokenPairBuilder.from_env(prefix=f"{name.upper()}_") for name in ("ios", "android")}

    async def messenger_token(request):
        user_id = user_id_of(request)  # from the app's own access token, never from the path or the body
        builder = builders.get(request.path_params["platform"])
        if user_id is None or builder is None:
            return JSONResponse(None, 401 if user_id is None else 404, NO_STORE)
        pair = await builder.abuild(user_id)
        return JSONResponse({"intercom_user_jwt": pair.intercom_user_jwt, "expires_at": pair.expires_at}, 200, NO_STORE)

    return Starlette(routes=[Route("/{platform}/messenger-token", messenger_token)])
