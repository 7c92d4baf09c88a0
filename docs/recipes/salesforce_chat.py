import os
import time

from flask import Flask, request, session

from fin_messenger_auth import EnvKeySource, MessengerUser, RSASigner, SalesforceMinter
from fin_messenger_auth.page import NO_STORE, is_same_origin


def make_app():
    app = Flask(__name__)
    app.secret_key = os.environ["SESSION_SECRET"]
    minter = SalesforceMinter(
        RSASigner(EnvKeySource("SALESFORCE_PRIVATE_KEY"), kid=os.environ["SALESFORCE_KEY_ID"]),
        issuer=os.environ["SALESFORCE_ISSUER"],
        audience=os.environ["SALESFORCE_AUDIENCE"],
    )

    @app.get("/salesforce-identity-token")
    def identity_token():
        if not is_same_origin(request.headers, request.host):
            return {}, 403, dict(NO_STORE)
        user_id = session.get("user_id")  # from the session, never from the request
        if user_id is None:
            return {}, 401, dict(NO_STORE)
        return {"token": minter.mint(MessengerUser(user_id), int(time.time()))}, 200, dict(NO_STORE)

    return app
