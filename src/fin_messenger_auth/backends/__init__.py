"""Signs with keys that live elsewhere: one file for each service, each behind an extra of the same name."""
