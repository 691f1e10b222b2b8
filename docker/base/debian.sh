#!/bin/sh
# Hook of mmdebstrap: finishes the Debian that every stand-in starts from. $1 is
# its root; CA_BUNDLE names the machine's certificate bundle, if it has one.
set -eu
root=$1

# The machine's bundle, so that builds inside trust what the machine trusts.
if [ -n "${CA_BUNDLE:-}" ]; then
  mkdir -p "$root/etc/ssl/certs"
  cp "$CA_BUNDLE" "$root/etc/ssl/certs/ca-certificates.crt"
fi

# No package starts its service while an image is built, and none asks.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# The package manager's caches would add 80 MB to every image that updates itself.
printf 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n' >"$root/etc/apt/apt.conf.d/90no-caches"
rm -f "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb
echo "debconf debconf/frontend select Noninteractive" | chroot "$root" debconf-set-selections
