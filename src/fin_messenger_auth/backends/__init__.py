"""Holds the signers whose key lives elsewhere, one file each behind an extra, and the parts to write your own."""

from fin_messenger_auth._processes import PerProcess

from ._remote import RemoteKey

__all__ = ["PerProcess", "RemoteKey"]
