# Redis 7 for the dead-letter queue of DataStorage. The image brings an entry of its
# own, so that any image with redis-server on PATH can be the base.
ARG REDIS_IMAGE=docker.io/library/redis:7.2-bookworm@sha256:74566c6910d13ae61e7ce73ebd3127438a1fe805b309b097c323142719ec8a5b
FROM ${REDIS_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get upgrade -y && rm -rf /var/lib/apt/lists/*

RUN useradd --uid 1001 --gid 0 --no-create-home --home-dir /data --shell /usr/sbin/nologin queue \
    && mkdir -p /data /run/redis \
    && chown -R 1001:0 /data /run/redis
COPY --chmod=755 docker/stores/redis.sh /usr/local/bin/hybrid-redis
COPY --chmod=755 docker/stores/redis-ready.sh /usr/local/bin/hybrid-redis-ready

WORKDIR /data
USER 1001:0
EXPOSE 6379
ENTRYPOINT ["/usr/local/bin/hybrid-redis"]
CMD []
LABEL io.hybrid.security-epoch=${UPDATE_EPOCH} \
    org.opencontainers.image.title="hybrid-redis" \
    org.opencontainers.image.description="Redis 7 that queues audit events while PostgreSQL is away" \
    org.opencontainers.image.licenses="BSD-3-Clause" \
    io.k8s.display-name="Redis" \
    io.k8s.description="Redis 7 that queues audit events while PostgreSQL is away"
