// Package room owns how much memory and disk a run needs, and whether there is that
// much: before it begins, and as an explanation when a disk is full.
package room
