// Package shard owns how a suite is divided among several runs that go on at the same
// time: which specs stay together, what each weighs by the times of earlier runs, the split
// that lets all shards end together, and the proof that every spec ran exactly once. It
// starts nothing; a run, or a program, does with the split what it likes.
package shard
