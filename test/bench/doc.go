// Package bench owns the measurement of the running Gateway: what is sent to it,
// what is read from the cluster meanwhile, the targets, and the verdict. It talks
// to the real system through its NodePorts and to nothing else.
package bench
