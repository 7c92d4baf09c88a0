from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    async def messenger_settings(request):
        host = request.headers.get("host", "")
        made = await asettings_response(default_builder(), session_user(request), request.headers, host)
        return JSONResponse(made.body, made.status, made.headers)

    return Starlette(routes=[Route("/messenger/settings", messenger_settings)])
