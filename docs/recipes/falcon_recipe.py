import falcon

from fin_messenger_auth import build_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    class MessengerSettings:
        def on_get(self, req, resp):
            resp.set_headers(NO_STORE)
            user_id = user_id_of(req)  # from your session, never from the request
            headers = {"Sec-Fetch-Site": req.get_header("Sec-Fetch-Site"), "Origin": req.get_header("Origin")}
            if user_id is None or not is_same_origin(headers, req.netloc):
                resp.status = 401 if user_id is None else 403
            else:
                resp.media = build_settings(user_id)

    app = falcon.App()
    app.add_route("/messenger/settings", MessengerSettings())
    return app
