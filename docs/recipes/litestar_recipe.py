from litestar import Litestar, Request, Response, get

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    @get("/messenger/settings")
    async def messenger_settings(request: Request) -> Response:
        host = request.headers.get("host", "")
        made = await asettings_response(default_builder(), session_user(request), request.headers, host)
        return Response(made.body, status_code=made.status, headers=made.headers)

    return Litestar([messenger_settings], openapi_config=None)
