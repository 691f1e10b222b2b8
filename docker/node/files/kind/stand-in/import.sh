#!/bin/sh
# Unpacks the archive of images on standard input into this image's containerd
# store, so that a node starts without an import. It runs once, while the image is
# made, in a privileged container with a volume at /store: overlay file systems do
# not stack, and the container's own file system is one.
set -eu
mkdir -p /run/import
mkfifo /run/import/log
containerd --config /kind/stand-in/import.toml 2>/run/import/log &
daemon=$!
trap 'kill "$daemon" 2>/dev/null || true' EXIT
trap 'exit 143' TERM INT

# The daemon says when its socket is served; should it end instead, so does its
# log, and the client below fails.
exec 3</run/import/log
sed '/containerd successfully booted/q' <&3 >&2
cat <&3 >&2 &

ctr="ctr --address /run/import/containerd.sock --namespace k8s.io"
$ctr images import --local --snapshotter overlayfs --discard-unpacked-layers --digests=false \
  --label io.cri-containerd.image=managed --label io.cri-containerd.pinned=pinned -
# What was unpacked is collected now: the daemon ends before it would do so.
$ctr content prune references
$ctr images list --quiet

kill "$daemon"
wait "$daemon" || true
trap - EXIT
mkdir -p /var/lib/containerd
cp --archive /store/root/. /var/lib/containerd/

# The only layer stays in the image: what is in /var the engine copies for each node. An
# overlay file system can read from another one, and the layer deletes nothing.
layer=$(find /var/lib/containerd -path '*/snapshots/*/fs' -prune)
mv "$layer" /kind/control-plane
ln -s /kind/control-plane "$layer"

# The node's own kubelet, kubeadm and kubectl are the same file as the control
# plane's: stored once, and in memory once.
ln -s /kind/control-plane/usr/local/bin/kubernetes /usr/bin/kubernetes
for name in kubeadm kubectl kubelet; do
  ln -s kubernetes "/usr/bin/$name"
done
kubeadm version --output short
