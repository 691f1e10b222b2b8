#!/bin/sh
# runc for a machine whose capability bounding set lacks CAP_SYS_RESOURCE.
#
# Engines before 23 ask for every capability they know when a container is
# privileged, and runc then refuses to start it ("unable to apply caps"). This
# removes the one capability that the machine cannot give from the request: from
# the bundle's config.json of `create` and `run`, and from the process file of
# `exec`. Both are compact JSON written by the engine for this call alone.
bundle= process= previous=
for argument in "$@"; do
  case $previous in
    --bundle | -b) bundle=$argument ;;
    --process | -p) process=$argument ;;
  esac
  case $argument in
    --bundle=*) bundle=${argument#*=} ;;
    --process=*) process=${argument#*=} ;;
  esac
  previous=$argument
done
for file in "${bundle:+$bundle/config.json}" "$process"; do
  if [ -n "$file" ] && grep -q '"CAP_SYS_RESOURCE"' "$file" 2>/dev/null; then
    sed -i -e 's/,"CAP_SYS_RESOURCE"//g' -e 's/"CAP_SYS_RESOURCE",\{0,1\}//g' "$file"
  fi
done
exec /usr/sbin/runc "$@"
