"""The two tokens that Fin Messenger needs to hand a conversation to Salesforce Enhanced Chat."""

from .errors import (
    ConfigurationError,
    FinMessengerAuthError,
    FinMessengerAuthWarning,
    InvalidClaimError,
    InvalidKeyError,
    KeyUnavailableError,
    SigningError,
)
from .intercom import IntercomMinter
from .keys import EnvKeySource, FileKeySource, KeySource, StringKeySource
from .page import render_snippet
from .pair import TokenPair, TokenPairBuilder, abuild_settings, build_settings, default_builder
from .reloading import Reloading
from .salesforce import SalesforceMinter
from .settings import PublicSettings
from .signers import AsyncSigner, HMACSigner, RSASigner, Signer
from .threads import ThreadedSigner, in_thread
from .users import Company, MessengerUser, identify

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
    "in_thread",
    "render_snippet",
]
