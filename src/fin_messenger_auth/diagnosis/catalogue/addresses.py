"""Where the rules can be read."""

INTERCOM_JWT = (
    "https://www.intercom.com/help/en/articles/10589769-authenticating-users-in-the-messenger-with-json-web-tokens-jwts"
)
"""Intercom: authenticating users in the Messenger."""

SALESFORCE_SETUP = (
    "https://help.salesforce.com/s/articleView?id=service.miaw_token_based_user_verification_setup.htm&type=5"
)
"""Salesforce: setting up token-based user verification."""

SALESFORCE_TROUBLE = "https://help.salesforce.com/s/articleView?id=service.user_verification_troubleshooting.htm&type=5"
"""Salesforce: troubleshooting user verification, with the members that a key needs."""

SALESFORCE_TOOL = "https://github.com/Salesforce-Async-Messaging/key-command-line-utility"
"""Salesforce's own tool for keys and tokens."""

SALESFORCE_KEY_METADATA = (
    "https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_publickeycertificate.htm"
)
"""Salesforce: the metadata type of a key."""

RFC_7515 = "https://www.rfc-editor.org/rfc/rfc7515"
"""JSON Web Signature."""

RFC_7517 = "https://www.rfc-editor.org/rfc/rfc7517"
"""JSON Web Key."""

RFC_7518 = "https://www.rfc-editor.org/rfc/rfc7518"
"""JSON Web Algorithms."""

RFC_7519 = "https://www.rfc-editor.org/rfc/rfc7519"
"""JSON Web Token."""
