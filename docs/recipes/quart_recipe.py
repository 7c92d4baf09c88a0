from quart import Quart, request, session

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    app = Quart(__name__)

    @app.get("/messenger/settings")
    async def messenger_settings():
        made = await asettings_response(default_builder(), session_user(request), request.headers, request.host)
        if not session.modified:  # nor is a permanent session prolonged
            dict.pop(session._get_current_object(), "_permanent", None)
        return made.body, made.status, made.headers

    return app
