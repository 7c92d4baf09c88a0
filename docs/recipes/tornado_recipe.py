from tornado.web import Application, RequestHandler

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import asettings_response


def make_app(session_user):
    class MessengerSettings(RequestHandler):
        async def get(self):
            request = self.request
            made = await asettings_response(default_builder(), session_user(self), request.headers, request.host)
            self.set_status(made.status)
            for name, value in made.headers.items():
                self.set_header(name, value)
            self.write(made.body)

    return Application([("/messenger/settings", MessengerSettings)])
