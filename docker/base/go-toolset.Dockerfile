# Stands in for ubi9/go-toolset where no registry can be reached: the UBI
# stand-in with the Go toolchain of the machine. The build context is GOROOT.
ARG UBI_IMAGE
FROM ${UBI_IMAGE}
COPY . /usr/local/go
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    GOTOOLCHAIN=local
RUN go version
USER 1001
