"""Makes the two tokens that Fin Messenger needs to hand a conversation to Salesforce Enhanced Chat."""

from ._builder import TokenPair, TokenPairBuilder, abuild_settings, build_settings, default_builder
from ._deadline import with_deadline
from ._environment import messenger_enabled
from ._keys import EnvKeySource, FileKeySource, KeySource, StringKeySource
from ._outages import Metrics
from ._reloading import Reloading
from ._settings import PublicSettings
from ._signers import AsyncSigner, DualSigner, HMACSigner, RSASigner, Signer
from ._tokens import IntercomMinter, SalesforceMinter
from ._users import Company, MessengerUser, identify
from .page import render_snippet

__all__ = [
    "AsyncSigner",
    "Company",
    "DualSigner",
    "EnvKeySource",
    "FileKeySource",
    "HMACSigner",
    "IntercomMinter",
    "KeySource",
    "MessengerUser",
    "Metrics",
    "PublicSettings",
    "RSASigner",
    "Reloading",
    "SalesforceMinter",
    "Signer",
    "StringKeySource",
    "TokenPair",
    "TokenPairBuilder",
    "abuild_settings",
    "build_settings",
    "default_builder",
    "identify",
    "messenger_enabled",
    "render_snippet",
    "with_deadline",
]
