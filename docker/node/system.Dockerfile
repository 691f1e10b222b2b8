# The packages of the stand-in node image. systemd is trimmed as kind does it: no
# unit that handles devices, terminals or temporary files of a real machine.
ARG DEBIAN_IMAGE
# Every stand-in fetches the package lists by the same two lines, which BuildKit
# therefore runs once for all of them.
FROM ${DEBIAN_IMAGE} AS lists
RUN apt-get update

FROM ${DEBIAN_IMAGE}
RUN --mount=type=bind,from=lists,source=/var/lib/apt/lists,target=/var/lib/apt/lists,rw \
    apt-get install --yes \
        conntrack ethtool hostname iproute2 iptables jq kmod libseccomp2 mount nftables procps runc socat systemd util-linux \
    && rm -rf /var/cache/apt /var/cache/debconf/*-old /var/log/*.log \
        /usr/lib/udev/hwdb.d /usr/lib/*/gconv /usr/share/zoneinfo \
        /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
        /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/* \
        /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl* \
        /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \
    && echo "ReadKMsg=no" >> /etc/systemd/journald.conf \
    && ln -sf /usr/lib/systemd/systemd /sbin/init
