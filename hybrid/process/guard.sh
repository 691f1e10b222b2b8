# Waits for the end of a run and, when it comes while the run is at work, kills the
# processes that carry the run's mark, $1. The run says on standard input whether it is
# at work (busy) or not (idle); the end of the input is the end of the run itself, which
# no signal can keep it from telling.
state=idle
while read -r word; do state=$word; done
[ "$state" = busy ] || exit 0
# One may have started another just before it was killed: look until there is none.
round=0
while [ "$round" -lt 200 ]; do
  files=$(grep -lF -- "$1" /proc/[0-9]*/environ 2>/dev/null)
  [ -n "$files" ] || exit 0
  for file in $files; do
    pid=${file#/proc/}
    kill -KILL "${pid%/environ}" 2>/dev/null
  done
  round=$((round + 1))
done
