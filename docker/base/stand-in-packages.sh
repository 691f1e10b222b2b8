#!/bin/sh
# Builds the packages of the stand-in base: $1 is the spec, $2 gets
#   installed/      the old versions, for the base's rpm database
#   repository/     the new versions, with metadata for dnf
#   stand-in.repo   what points dnf to the repository
set -eu
spec=$1 out=$2
mkdir -p "$out/installed" "$out/repository"

for name in ca-certificates openssl-libs python3-libs tzdata; do
  for version in 2026.1 2026.2; do
    case $version in
      2026.1) folder=installed ;;
      *) folder=repository ;;
    esac
    rpmbuild -bb --quiet --define "_rpmdir $out/$folder" --define "_rpmfilename %%{NAME}-%%{VERSION}.rpm" \
      --define "stand_in_name $name" --define "stand_in_version $version" "$spec"
  done
done
createrepo_c --quiet "$out/repository"

# Debian's dnf passes over a repository that does not answer; UBI's fails, and so must this one.
cat >"$out/stand-in.repo" <<REPO
[stand-in]
name=Stand-in for the UBI repositories
baseurl=file:///opt/stand-in/repository
enabled=1
gpgcheck=0
skip_if_unavailable=False
REPO
