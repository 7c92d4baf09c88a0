from bottle import Bottle, HTTPResponse, request

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import settings_response


def make_app(session_user):
    app = Bottle()

    @app.get("/messenger/settings")
    def messenger_settings():
        host = request.urlparts.netloc
        made = settings_response(default_builder(), session_user(request), request.headers, host)
        return HTTPResponse(made.body, made.status, made.headers)

    return app
