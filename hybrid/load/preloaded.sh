# Unpacks on a node what its image holds of images as archives: "names" what describes
# them, before containerd starts, and "files" their files. These are kept in memory where
# there is plenty of it, eight times their size: there they are written in a fraction of
# the time, and need not be deleted one by one. A node that is started again has lost
# them, and containerd waits until they are back.
set -eu
archives=${ARCHIVES:-/kind}
store=${STORE:-/var/lib/containerd}
files=$store/preloaded
extract="tar --extract --xattrs --xattrs-include=* --numeric-owner"
if [ "$1" = names ] && [ ! -e "$files" ]; then
  $extract --directory "$store" --file "$archives/preloaded-names.tar"
  mkdir "$files"
  exit
fi
if [ -e "$files/complete" ]; then exit; fi
size=$(stat --format %s "$archives/preloaded-files.tar")
available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
if [ $((available / 8)) -gt $((size / 1024)) ] && ! mountpoint --quiet "$files"; then
  mount -t tmpfs -o mode=0711 preloaded "$files"
fi
$extract --directory "$files" --file "$archives/preloaded-files.tar"
# Else a database that starts later waits for all of it to be written.
mountpoint --quiet "$files" || sync --file-system "$files"
touch "$files/complete"
