# PostgreSQL 15 for the audit events. The image brings an entry of its own, so that
# any image with the PostgreSQL binaries on PATH can be the base.
ARG POSTGRESQL_IMAGE=docker.io/library/postgres:15-bookworm@sha256:b0c5bab0fbba8e0c221f73b1dc6359ec35f8650074377e727299df248fc8ad51
FROM ${POSTGRESQL_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y && rm -rf /var/lib/apt/lists/*

# initdb refuses a uid without a passwd entry.
RUN useradd --uid 1001 --gid 0 --no-create-home --home-dir /var/lib/postgresql --shell /usr/sbin/nologin audit \
    && mkdir -p /var/lib/postgresql/data /var/run/postgresql \
    && chown -R 1001:0 /var/lib/postgresql /var/run/postgresql
COPY --chmod=755 docker/stores/postgresql.sh /usr/local/bin/hybrid-postgresql

ENV PGDATA=/var/lib/postgresql/data/pgdata
# Postgres takes SIGINT as a fast shutdown; SIGTERM would wait for its clients.
STOPSIGNAL SIGINT
USER 1001:0
EXPOSE 5432
ENTRYPOINT ["/usr/local/bin/hybrid-postgresql"]
CMD []
LABEL io.hybrid.security-epoch=${UPDATE_EPOCH} \
    org.opencontainers.image.title="hybrid-postgresql" \
    org.opencontainers.image.description="PostgreSQL 15 that keeps the audit events" \
    org.opencontainers.image.licenses="PostgreSQL" \
    io.k8s.display-name="PostgreSQL" \
    io.k8s.description="PostgreSQL 15 that keeps the audit events"
