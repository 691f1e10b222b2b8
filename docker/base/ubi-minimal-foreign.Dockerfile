# Stands in for ubi9/ubi-minimal of another platform than this machine's: an unpacked
# Debian whose programs are never run here, with the rpm database, packages and
# repository of the stand-in of this machine's platform, which are for any.
ARG UBI_MINIMAL_IMAGE
ARG DEBIAN_IMAGE
FROM --platform=$BUILDPLATFORM ${UBI_MINIMAL_IMAGE} AS native

FROM ${DEBIAN_IMAGE}
COPY --from=native /opt/stand-in /opt/stand-in
COPY --from=native /usr/share/stand-in /usr/share/stand-in
COPY --from=native /etc/yum.repos.d /etc/yum.repos.d
COPY --from=native /root/.rpmdb /root/.rpmdb
# The bundle of the machine that made the stand-in is kept, as there.
COPY --from=native /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
CMD ["/bin/bash"]
