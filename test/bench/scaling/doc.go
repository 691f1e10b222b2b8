// Package scaling measures what the number of images and workloads costs. It generates
// repositories with few and with many small services, takes each from changed sources
// to a system that answers, and shows what every further service adds to each phase.
package scaling
