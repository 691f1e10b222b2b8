# Stands in for the official PostgreSQL image where no registry can be reached:
# the server of Debian, with its programs on PATH.
ARG DEBIAN_IMAGE
# Every stand-in fetches the package lists by the same two lines, which BuildKit
# therefore runs once for all of them.
FROM ${DEBIAN_IMAGE} AS lists
RUN apt-get update

FROM ${DEBIAN_IMAGE}
# The package would make and start a database of its own. Its just-in-time
# compiler is left out: 150 MB of LLVM that every node would have to load.
RUN --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    mkdir -p /etc/postgresql-common \
    && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
    && apt-get install --yes \
        --option "Dpkg::Options::=--force-confold" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/*/libLLVM*" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/llvm-*" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/*/libz3*" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/postgresql/*/lib/bitcode/*" \
        --option "Dpkg::Options::=--path-exclude=/usr/lib/postgresql/*/lib/llvmjit*" \
        postgresql-15 \
    && rm -rf /var/cache/apt /var/cache/debconf/*-old /var/log/*.log
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN postgres --version && initdb --version
CMD ["postgres"]
