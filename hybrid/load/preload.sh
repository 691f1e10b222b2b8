# Unpacks the archive of images on standard input into the containerd store of a node
# image, so that a cluster starts with them. It runs in a privileged container with a
# volume at /store: overlay file systems do not stack, and the container's own file
# system is one. For the same reason the image holds what is new in the store as
# archives, which a node unpacks: what one layer deletes of another cannot be kept as
# files in an image. containerd starts with what describes the images, in which the files
# of each layer are a link. They come when the API server is about to start, which uses
# one processor, and preloaded.service is active when all are there. $1 is the script that
# a node unpacks with.
set -eu
mkdir -p /run/preload /store/root
cp --archive /var/lib/containerd/. /store/root/
touch /store/begin
cat >/run/preload/config.toml <<EOF
version = 3
root = "/store/root"
state = "/run/preload/state"
disabled_plugins = [
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.grpc.v1.cri",
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
]

[grpc]
address = "/run/preload/containerd.sock"

[ttrpc]
address = "/run/preload/containerd.ttrpc.sock"
EOF
mkfifo /run/preload/log
containerd --config /run/preload/config.toml 2>/run/preload/log &
daemon=$!
trap 'kill "$daemon" 2>/dev/null || true' EXIT
trap 'exit 143' TERM INT

# The daemon says when its socket is served; should it end instead, so does its log,
# and the client below fails.
exec 3</run/preload/log
sed '/containerd successfully booted/q' <&3 >&2
cat <&3 >&2 &

ctr="ctr --address /run/preload/containerd.sock --namespace k8s.io"
$ctr images import --local --all-platforms --digests=false --snapshotter overlayfs --discard-unpacked-layers \
  --label io.cri-containerd.image=managed -
# What was unpacked is collected now: the daemon ends before it would do so.
$ctr content prune references

kill "$daemon"
wait "$daemon" || true
trap - EXIT
# What an image has in /run podman copies to the file system that kind mounts there, and
# runc cannot copy a fifo. Making the node image may have left one, too.
rm -rf /run/preload /run/import
store=/var/lib/containerd
files=$store/preloaded
mkdir /store/files
for layer in /store/root/*/snapshots/*/fs; do
  # What the node image had before is older.
  if [ ! -L "$layer" ] && [ -n "$(find "$layer" -prune -cnewer /store/begin)" ]; then
    id=$(basename "$(dirname "$layer")")
    mv "$layer" "/store/files/$id"
    ln -s "$files/$id" "$layer"
  fi
done
flags="--xattrs --xattrs-include=* --numeric-owner"
cd /store/root
find . -cnewer /store/begin -print0 |
  tar --create $flags --no-recursion --null --files-from - --file /kind/preloaded-names.tar
tar --create $flags --directory /store/files --file /kind/preloaded-files.tar .

printf '%s' "$1" >/kind/preloaded.sh
mkdir -p /etc/systemd/system/containerd.service.d
cat >/etc/systemd/system/containerd.service.d/preloaded.conf <<EOF
[Unit]
Wants=preloaded.path
Requires=preloaded-names.service
After=preloaded-names.service
EOF
cat >/etc/systemd/system/preloaded-names.service <<EOF
[Unit]
Description=Unpack what describes the images that the node starts with

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh /kind/preloaded.sh names
TimeoutStartSec=5min
EOF
cat >/etc/systemd/system/preloaded.path <<EOF
[Unit]
Description=Unpack the images that the node starts with when its first container runs

[Path]
PathExistsGlob=/var/log/containers/*.log
EOF
cat >/etc/systemd/system/preloaded.service <<EOF
[Unit]
Description=Unpack the images that the node starts with
Requires=preloaded-names.service
After=preloaded-names.service

[Service]
Type=oneshot
RemainAfterExit=yes
Nice=10
ExecStart=/bin/sh /kind/preloaded.sh files
TimeoutStartSec=5min
EOF
