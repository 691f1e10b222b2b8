# Compiles the programs of the stand-in node image. It does so in the cache that the
# Dockerfiles of the services mount, with what decides Go's cache keys as they have
# it: the standard library, client-go and all else that both need is compiled once.
# Nothing but Go is needed, so that this starts before there is any base image.
# The context has four folders:
#   go/          GOROOT of the machine
#   certs/       its bundle of trusted certificates, for the module proxy
#   kubernetes/  containerd/    the modules beside this file
FROM scratch AS go
COPY certs /etc/ssl/certs
COPY go /usr/local/go
WORKDIR /tmp
ARG GOPROXY
ARG GOFLAGS
ARG GOSUMDB
ARG GONOSUMDB
# GOGC trades memory for time: client-go is compiled in 50 s instead of 63 s with the
# default of 100, for 700 MB instead of 365 MB in the largest compile. More gains nothing.
ENV PATH=/usr/local/go/bin HOME=/root CGO_ENABLED=0 GOGC=800 GOTOOLCHAIN=local GOWORK=off \
    GOMODCACHE=/root/go/pkg/mod GOCACHE=/root/.cache/go-build

# kubeadm compares the versions that the API server, the kubelet and itself report.
FROM go AS kubernetes
COPY kubernetes /src/kubernetes
WORKDIR /src/kubernetes
RUN --mount=type=cache,id=hybrid-gomod,target=/root/go/pkg/mod \
    --mount=type=cache,id=hybrid-gobuild,target=/root/.cache/go-build \
    ["go", "build", "-mod=readonly", "-v", "-trimpath", "-gcflags=all=-dwarf=false", "-tags=providerless,selinux_disabled", \
    "-ldflags=-s -w \
    -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/client-go/pkg/version.gitVersion=v1.37.2 \
    -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/client-go/pkg/version.gitMajor=1 \
    -X k8s.io/component-base/version.gitMinor=37 -X k8s.io/client-go/pkg/version.gitMinor=37 \
    -X k8s.io/component-base/version.gitTreeState=clean -X k8s.io/client-go/pkg/version.gitTreeState=clean \
    -X k8s.io/component-base/version.gitCommit=0000000000000000000000000000000000000000 \
    -X k8s.io/client-go/pkg/version.gitCommit=0000000000000000000000000000000000000000", \
    "-o", "/out/", ".", "./pause"]

# After Kubernetes, not beside it: what both need is then compiled once. The tags
# leave out snapshotters that a node never selects.
FROM kubernetes AS containerd
COPY containerd /src/containerd
WORKDIR /src/containerd
RUN --mount=type=cache,id=hybrid-gomod,target=/root/go/pkg/mod \
    --mount=type=cache,id=hybrid-gobuild,target=/root/.cache/go-build \
    ["go", "build", "-mod=readonly", "-v", "-trimpath", "-gcflags=all=-dwarf=false", "-tags=no_aufs,no_btrfs,no_devmapper,no_zfs", \
    "-ldflags=-s -w", "-o", "/out/", ".", \
    "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", \
    "github.com/containernetworking/plugins/plugins/ipam/host-local", \
    "github.com/containernetworking/plugins/plugins/main/loopback", \
    "github.com/containernetworking/plugins/plugins/main/ptp", \
    "github.com/containernetworking/plugins/plugins/meta/portmap"]

FROM scratch
COPY --from=containerd /out /
