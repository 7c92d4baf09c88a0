from pyramid.config import Configurator

from fin_messenger_auth import default_builder
from fin_messenger_auth.page import settings_response


def make_app(session_user):
    def messenger_settings(request):
        made = settings_response(default_builder(), session_user(request), request.headers, request.host)
        # Pyramid's sessions are reissued when they are read; this comes after what the session has added.
        request.add_response_callback(lambda _request, response: response.headers.pop("Set-Cookie", None))
        request.response.status_int = made.status
        request.response.headers.update(made.headers)
        return made.body

    with Configurator() as config:
        config.add_route("messenger", "/messenger/settings", request_method="GET")
        config.add_view(messenger_settings, route_name="messenger", renderer="json")
    return config.make_wsgi_app()
