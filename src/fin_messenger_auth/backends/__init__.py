"""Signers whose key lives elsewhere, one file each, each behind an extra of the same name."""
