#!/bin/sh
# Makes keys and signs with OpenSSL's FIPS provider alone: run as root by the session `unstable`, in its chroot. That
# provider is Debian's build, not a validated module.
set -eu
apt-get -o Acquire::Check-Valid-Until=false update -qq  # a mirror may be some days old
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
  openssl openssl-provider-fips python3-cryptography python3-venv >/dev/null 2>&1
module=$(find /usr/lib -name fips.so | head -1)
openssl fipsinstall -out /etc/ssl/fipsmodule.cnf -module "$module" 2>/dev/null
cat > /etc/ssl/fips.cnf <<'CONFIG'
openssl_conf = openssl_init
.include /etc/ssl/fipsmodule.cnf
[openssl_init]
providers = provider_sect
alg_section = algorithm_sect
[provider_sect]
fips = fips_sect
base = base_sect
[base_sect]
activate = 1
[algorithm_sect]
default_properties = fips=yes
CONFIG
rm -rf /fips /tmp/fips-keys
python3 -m venv --system-site-packages /fips
/fips/bin/pip install -q --no-deps joserfc .
export OPENSSL_CONF=/etc/ssl/fips.cnf
/fips/bin/python - <<'PYTHON'
from cryptography.exceptions import InternalError
from cryptography.hazmat.primitives.hashes import MD5, Hash

try:
    Hash(MD5())  # noqa: S303
except InternalError:
    print("FIPS: MD5 is refused")
else:
    raise SystemExit("This is not the FIPS provider: MD5 works.")
PYTHON
/fips/bin/python -m fin_messenger_auth demo | grep '✓ verified'
/fips/bin/python -m fin_messenger_auth keygen /tmp/fips-keys --kid fips --issuer https://acme.example | head -1
/fips/bin/python -m fin_messenger_auth doctor /tmp/fips-keys | head -1
