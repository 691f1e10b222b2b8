#!/bin/sh
# Puts iptables and conntrack, with the libraries that they load, into the folder
# $1, and the names by which the control plane's one program is called.
set -eu
layer=$1
mkdir -p "$layer/usr/local/bin" "$layer/usr/sbin" "$layer/tmp" "$layer/run"
for folder in bin lib lib64 sbin; do
  if [ -L "/$folder" ]; then cp -P "/$folder" "$layer/$folder"; fi
done

programs="/usr/sbin/xtables-nft-multi /usr/sbin/conntrack"
# The extensions are opened by name at run time; ldd knows nothing of them.
extensions=$(find /usr/lib -path '*/xtables/*.so')
libraries=$(ldd $programs $extensions | sed -n 's/.*\(=> \|	\)\(\/[^ ]*\) (.*/\2/p' | xargs realpath --no-symlinks | sort -u)
for file in $programs $extensions $libraries; do
  # The merged /usr shows libraries under two paths; the real one is stored.
  real=$(realpath "$(dirname "$file")")/$(basename "$file")
  mkdir -p "$layer$(dirname "$real")"
  cp --dereference "$real" "$layer$real"
done

for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
  ln -s xtables-nft-multi "$layer/usr/sbin/$name"
done
for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns kindnetd; do
  ln -s kubernetes "$layer/usr/local/bin/$name"
done
ln -s usr/local/bin/kubernetes "$layer/coredns"
chroot "$layer" /usr/sbin/iptables --version
chroot "$layer" /usr/sbin/conntrack --version
