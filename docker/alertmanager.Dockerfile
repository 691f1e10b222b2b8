# Alertmanager: groups alerts and sends them to the Gateway, as it does in a real
# cluster. The program is its authors' own, built from the module they publish.
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
COPY docker/alertmanager/go.mod docker/alertmanager/go.sum ./

# The module lacks the web pages, which its authors build by npm for a release and
# without which it does not compile. One page that says so takes their place; the
# module cache is read-only, hence the copy.
RUN --mount=type=cache,id=hybrid-gomod,target=/root/go/pkg/mod \
    go mod download github.com/prometheus/alertmanager \
    && cp -r "$(go list -m -f '{{.Dir}}' github.com/prometheus/alertmanager)" /alertmanager \
    && mkdir -p /alertmanager/ui/app/dist \
    && echo '<!DOCTYPE html><title>Alertmanager</title>This build has no web pages. The API is at /api/v2.' \
        | gzip --no-name > /alertmanager/ui/app/dist/index.html.gz \
    && go mod edit -replace github.com/prometheus/alertmanager=/alertmanager

ARG TARGETOS=linux
ARG TARGETARCH
RUN --mount=type=cache,id=hybrid-gomod,target=/root/go/pkg/mod \
    --mount=type=cache,id=hybrid-gobuild,target=/root/.cache/go-build \
    GOGC=400 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -v -trimpath -gcflags=all=-dwarf=false \
        -ldflags="-s -w -X github.com/prometheus/common/version.Version=$(cat /alertmanager/VERSION)" \
        -o /out/alertmanager github.com/prometheus/alertmanager/cmd/alertmanager

FROM ${UBI_MINIMAL_IMAGE}
USER root
ARG UPDATE_EPOCH
RUN : "security updates of ${UPDATE_EPOCH}" && microdnf update -y && microdnf clean all

COPY --from=build /out/alertmanager /usr/local/bin/alertmanager
USER 1001:0
EXPOSE 9093
ENTRYPOINT ["/usr/local/bin/alertmanager"]
LABEL io.hybrid.security-epoch=${UPDATE_EPOCH} \
    org.opencontainers.image.title="hybrid-alertmanager" \
    org.opencontainers.image.description="Prometheus Alertmanager that sends alerts to the Gateway" \
    org.opencontainers.image.licenses="Apache-2.0" \
    io.k8s.display-name="Alertmanager" \
    io.k8s.description="Prometheus Alertmanager that sends alerts to the Gateway"
