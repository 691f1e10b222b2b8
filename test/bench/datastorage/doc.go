// Package datastorage owns the measurement of the running DataStorage: how fast events
// are stored one by one and in batches, how fast a queue is replayed, how long queries
// take over a full table, and how much memory all of it needs. It talks to the real
// system through its NodePorts on 127.0.0.1.
package datastorage
