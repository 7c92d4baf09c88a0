from bottle import Bottle, HTTPResponse, request

from fin_messenger_auth import build_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    app = Bottle()

    @app.get("/messenger/settings")
    def messenger_settings():
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.urlparts.netloc):
            return HTTPResponse(status=401 if user_id is None else 403, headers=dict(NO_STORE))
        return HTTPResponse(build_settings(user_id), headers=dict(NO_STORE))

    return app
