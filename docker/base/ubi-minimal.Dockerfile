# Stands in for ubi9/ubi-minimal where no registry can be reached: a small Debian
# with dnf, an rpm database of four packages in an old version and a repository
# that has them in a newer one. "dnf update -y" and "microdnf update -y" really
# resolve, install and record these four.
ARG DEBIAN_IMAGE
# Every stand-in fetches the package lists by the same two lines, which BuildKit
# therefore runs once for all of them.
FROM ${DEBIAN_IMAGE} AS lists
RUN apt-get update

FROM ${DEBIAN_IMAGE} AS system
# The bundle of the machine that made the Debian base is kept: Debian's own
# ca-certificates would replace it by one that lacks a company's authority. The
# modules of Perl, 47 MB, come with rpm and serve tools that no build here runs.
RUN --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    apt-get install --yes \
        --option "Dpkg::Options::=--path-exclude=/usr/share/perl/*" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/*/perl/*" \
        dnf rpm \
    && rm -rf /var/cache/apt /var/cache/debconf/*-old /var/log/*.log \
    && ln -s dnf /usr/bin/microdnf \
    && mkdir -p /etc/yum.repos.d

FROM system AS packages
RUN --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    apt-get install --yes createrepo-c
COPY stand-in.spec stand-in-packages.sh /build/
RUN sh /build/stand-in-packages.sh /build/stand-in.spec /packages

FROM system
COPY --from=packages /packages /opt/stand-in
RUN mv /opt/stand-in/stand-in.repo /etc/yum.repos.d/ \
    && rpm --initdb \
    && rpm --install --nodeps /opt/stand-in/installed/*.rpm \
    && rm -rf /opt/stand-in/installed
CMD ["/bin/bash"]
