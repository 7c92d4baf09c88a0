"""From nothing to the first pair by this library."""

import os

from fin_messenger_auth import (
    EnvKeySource,
    FileKeySource,
    HMACSigner,
    IntercomMinter,
    RSASigner,
    SalesforceMinter,
    TokenPairBuilder,
)

builder = TokenPairBuilder(
    app_id="throwaway",
    intercom=IntercomMinter(HMACSigner(EnvKeySource("SECRET"))),
    salesforce=SalesforceMinter(
        RSASigner(FileKeySource(os.environ["KEY_FILE"]), kid="throwaway"),
        issuer="https://issuer.example",
        audience="https://example.my.salesforce-scrt.com",
    ),
)
builder.build("42")
