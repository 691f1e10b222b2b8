// Package queue owns the Redis stream in which events wait while PostgreSQL is away,
// the worker that replays them in order, and the dead stream for events that can
// never be stored.
//
// The stream is a plain list of entries, one event each, read from its head and
// deleted after PostgreSQL has the event. There is no consumer group: a group would
// hand one worker's unfinished entries to nobody after a crash. Several replicas may
// replay the same entry; storing is idempotent, and only the one whose delete
// succeeds counts it.
package queue
