ARG GO_TOOLSET_IMAGE=registry.access.redhat.com/ubi9/go-toolset:1.26.7-1791479310@sha256:6f246e8913d082df463b62a74c72f0d2b410583e1b2ac48add39cd7ede59ce62
ARG UBI_MINIMAL_IMAGE=registry.access.redhat.com/ubi9/ubi-minimal:9.7@sha256:161a4e29ea482bab6048c2b36031b4f302ae81e4ff18b83e61785f40dc576f5d

FROM ${GO_TOOLSET_IMAGE} AS build
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && dnf update -y && dnf clean all

WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local GOCACHE=/root/.cache/go-build
COPY go.mod go.sum ./
COPY cmd cmd
COPY greeting greeting
ARG TARGETOS=linux
ARG TARGETARCH
ARG COVERAGE=0
RUN --mount=type=cache,id=hybrid-gobuild,target=/root/.cache/go-build \
    if [ "${COVERAGE}" = 1 ]; then \
        GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -cover -covermode=atomic \
            -coverpkg=example.com/greeter/... -o /out/greeter ./cmd/greeter; \
    else \
        GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -trimpath -ldflags="-s -w" -o /out/greeter ./cmd/greeter; \
    fi

FROM ${UBI_MINIMAL_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && microdnf update -y && microdnf clean all

COPY --from=build /out/greeter /usr/local/bin/greeter
USER 1001:0
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/greeter"]
LABEL io.hybrid.security-epoch=${UPDATE_EPOCH} \
    org.opencontainers.image.title="greeter" \
    org.opencontainers.image.description="Serves greetings" \
    org.opencontainers.image.licenses="Apache-2.0" \
    io.k8s.display-name="Greeter" \
    io.k8s.description="Serves greetings"
