# Stands in for the official Redis image where no registry can be reached: the
# server and the client of Debian.
ARG DEBIAN_IMAGE
# Every stand-in fetches the package lists by the same two lines, which BuildKit
# therefore runs once for all of them.
FROM ${DEBIAN_IMAGE} AS lists
RUN apt-get update

FROM ${DEBIAN_IMAGE}
RUN --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    apt-get install --yes redis-server redis-tools \
    && rm -rf /var/cache/apt /var/cache/debconf/*-old /var/log/*.log
RUN redis-server --version && redis-cli --version
CMD ["redis-server"]
