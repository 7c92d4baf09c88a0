from pyramid.config import Configurator

from fin_messenger_auth import build_settings
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app(user_id_of):
    def messenger_settings(request):
        request.response.headers.update(NO_STORE)
        user_id = user_id_of(request)  # from your session, never from the request
        if user_id is None or not is_same_origin(request.headers, request.host):
            request.response.status_int = 401 if user_id is None else 403
            return None
        return build_settings(user_id)

    with Configurator() as config:
        config.add_route("messenger", "/messenger/settings", request_method="GET")
        config.add_view(messenger_settings, route_name="messenger", renderer="json")
    return config.make_wsgi_app()
