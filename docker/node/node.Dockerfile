# The stand-in node image, made from programs that were compiled on the machine.
# The context has three folders:
#   bin/     kubernetes, pause, containerd, containerd-shim-runc-v2 and CNI plugins
#   kind/    the file system that kind lays over its own base image
#   files/   docker/node/files of this repository
ARG SYSTEM_IMAGE

# What kube-proxy and the pod network need beside their program.
FROM ${SYSTEM_IMAGE} AS tables
COPY files/kind/stand-in/collect.sh /collect.sh
RUN sh /collect.sh /layer

# The one layer of all control-plane images; exported as a tar.
FROM scratch AS control-plane
COPY --from=tables /layer /
COPY bin/pause /pause
COPY bin/kubernetes /usr/local/bin/kubernetes

FROM ${SYSTEM_IMAGE} AS node
COPY kind/ /
COPY files/ /
COPY bin/containerd bin/containerd-shim-runc-v2 /usr/local/bin/
COPY bin/host-local bin/loopback bin/portmap bin/ptp /opt/cni/bin/
ARG KUBERNETES_VERSION
# Containers get the specification that containerd would make, without limits that
# a nested container cannot raise.
RUN chmod 755 /usr/local/bin/entrypoint /kind/bin/*.sh \
    && rm /etc/systemd/system/containerd-fuse-overlayfs.service /usr/local/bin/clean-install \
    && ln -s containerd /usr/local/bin/ctr \
    && ln -s containerd /usr/local/bin/crictl \
    && ctr oci spec | jq 'del(.process.rlimits)' > /etc/containerd/cri-base.json \
    && echo "${KUBERNETES_VERSION}" > /kind/version \
    && mkdir -p /etc/kubernetes/manifests /etc/cni/net.d /LICENSES \
    && systemctl enable kubelet.service containerd.service undo-mount-hacks.service \
    && systemctl mask systemd-binfmt.service
ENV container=docker
STOPSIGNAL SIGRTMIN+3
ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]
