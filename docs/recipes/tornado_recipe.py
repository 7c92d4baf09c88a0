from tornado.web import Application, RequestHandler

from fin_messenger_auth import abuild_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    class MessengerSettings(RequestHandler):
        async def get(self):
            for name, value in NO_STORE.items():
                self.set_header(name, value)
            user_id = user_id_of(self)  # from your session, never from the request
            if user_id is None or not is_same_origin(self.request.headers, self.request.host):
                self.set_status(401 if user_id is None else 403)
            else:
                self.write(await abuild_settings(user_id))

    return Application([("/messenger/settings", MessengerSettings)])
