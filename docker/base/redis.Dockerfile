# Stands in for the official Redis image where no registry can be reached: the
# server and the client of Debian.
ARG DEBIAN_IMAGE
FROM ${DEBIAN_IMAGE}
RUN apt-get update && apt-get install --yes redis-server redis-tools \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/cache/debconf/*-old /var/log/*.log
RUN redis-server --version && redis-cli --version
CMD ["redis-server"]
