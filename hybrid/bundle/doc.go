// Package bundle owns the file in which images travel from one engine to another: written
// by one machine of a CI system, kept by its cache, read by the next. The file is what the
// engine saves. Nothing of it is loaded before all of it has been found whole.
package bundle
