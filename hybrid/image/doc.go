// Package image owns the identity and the building of images. An image's tag is
// its content key: a digest over its Dockerfile, build arguments, base images,
// every input file the Dockerfile can see, platform and security-update epoch.
// What is present under its key is never built again; nothing is tagged by time.
package image
