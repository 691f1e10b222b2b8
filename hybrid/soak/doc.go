// Package soak owns the repetition of a run: the same suite many times in a row, each
// time in a fresh process, and what that shows of times, failures and disk use.
package soak
