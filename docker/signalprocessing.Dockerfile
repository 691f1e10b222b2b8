# SignalProcessing: says of each RemediationRequest where it is from and how urgent.
ARG GO_TOOLSET_IMAGE=registry.access.redhat.com/ubi9/go-toolset:1.26.7-1791479310@sha256:6f246e8913d082df463b62a74c72f0d2b410583e1b2ac48add39cd7ede59ce62
ARG UBI_MINIMAL_IMAGE=registry.access.redhat.com/ubi9/ubi-minimal:9.7@sha256:161a4e29ea482bab6048c2b36031b4f302ae81e4ff18b83e61785f40dc576f5d

FROM ${GO_TOOLSET_IMAGE} AS build
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && dnf update -y && dnf clean all

WORKDIR /src
ARG GOPROXY
ARG GOFLAGS
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOMODCACHE=/root/go/pkg/mod GOCACHE=/root/.cache/go-build
COPY go.mod go.sum ./
COPY api api
COPY pkg/audit pkg/audit
COPY pkg/livefile pkg/livefile
COPY cmd/signalprocessing cmd/signalprocessing
COPY pkg/signalprocessing pkg/signalprocessing

# Go cross-compiles, so that a foreign architecture needs no emulation. A coverage
# build is the plain build plus -cover: stripping or static link flags would break
# the counters. Neither makes debugging information, an eighth of the compiler's work,
# and both leave paths out, so that they share what is compiled.
ARG TARGETOS=linux
ARG TARGETARCH
ARG COVERAGE=0
RUN --mount=type=cache,id=hybrid-gomod,target=/root/go/pkg/mod \
    --mount=type=cache,id=hybrid-gobuild,target=/root/.cache/go-build \
    if [ "${COVERAGE}" = 1 ]; then \
        GOGC=400 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -v -trimpath -gcflags=all=-dwarf=false -cover -covermode=atomic \
            -coverpkg=github.com/hybrid-e2e/hybrid/... -o /out/signalprocessing ./cmd/signalprocessing; \
    else \
        GOGC=400 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -v -trimpath -gcflags=all=-dwarf=false -ldflags="-s -w" \
            -o /out/signalprocessing ./cmd/signalprocessing; \
    fi

FROM ${UBI_MINIMAL_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && microdnf update -y && microdnf clean all

COPY --from=build /out/signalprocessing /usr/local/bin/signalprocessing
USER 1001:0
EXPOSE 8080 9090
ENTRYPOINT ["/usr/local/bin/signalprocessing"]
LABEL io.hybrid.security-epoch=${UPDATE_EPOCH} \
    org.opencontainers.image.title="hybrid-signalprocessing" \
    org.opencontainers.image.description="SignalProcessing says of each RemediationRequest where it is from and how urgent" \
    org.opencontainers.image.licenses="Apache-2.0" \
    io.k8s.display-name="SignalProcessing" \
    io.k8s.description="SignalProcessing says of each RemediationRequest where it is from and how urgent"
