from litestar import Litestar, Request, Response, get
from litestar.middleware import DefineMiddleware

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    @get("/messenger/settings", skip_session=True)  # its middleware would save the session, and so prolong it
    async def messenger_settings(request: Request) -> Response:
        for each in request.app.middleware:
            if isinstance(each, DefineMiddleware) and "backend" in each.kwargs:  # read the session without saving it
                request.scope["session"] = await each.kwargs["backend"].load_from_connection(request)
        host = request.headers.get("host", "")
        made = await asettings_response(default_builder(), session_user(request), request.headers, host)
        return Response(made.body, status_code=made.status, headers=made.headers)

    return Litestar([messenger_settings], openapi_config=None)
