"""Makes the two tokens that Fin Messenger needs to hand a conversation to Salesforce Enhanced Chat."""

from ._builder import TokenPair, TokenPairBuilder, abuild_settings, build_settings, default_builder
from ._deadline import ThreadedSigner, with_deadline
from ._keys import EnvKeySource, FileKeySource, KeySource, StringKeySource
from ._reloading import Reloading
from ._settings import PublicSettings
from ._signers import AsyncSigner, HMACSigner, RSASigner, Signer
from ._tokens import IntercomMinter, SalesforceMinter
from ._users import Company, MessengerUser, identify
from .errors import (
    ConfigurationError,
    FinMessengerAuthError,
    FinMessengerAuthWarning,
    InvalidClaimError,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
)
from .page import render_snippet

__all__ = [
    "AsyncSigner",
    "Company",
    "ConfigurationError",
    "EnvKeySource",
    "FileKeySource",
    "FinMessengerAuthError",
    "FinMessengerAuthWarning",
    "HMACSigner",
    "IntercomMinter",
    "InvalidClaimError",
    "InvalidKeyError",
    "KeySource",
    "KeyUnavailableError",
    "MessengerUser",
    "PublicSettings",
    "RSASigner",
    "Reloading",
    "SalesforceMinter",
    "Signer",
    "SigningError",
    "StringKeySource",
    "ThreadedSigner",
    "TokenPair",
    "TokenPairBuilder",
    "abuild_settings",
    "build_settings",
    "default_builder",
    "identify",
    "render_snippet",
    "with_deadline",
]
