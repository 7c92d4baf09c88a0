import falcon

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import settings_response


def make_app(session_user):
    class MessengerSettings:
        def on_get(self, req, resp):
            made = settings_response(default_builder(), session_user(req), req.headers, req.netloc)
            resp.status, resp.media = made.status, made.body
            resp.set_headers(made.headers)

    app = falcon.App()
    app.add_route("/messenger/settings", MessengerSettings())
    return app
