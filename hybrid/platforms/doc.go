// Package platforms owns images that are made for several platforms: the index that names
// them, and the proof that each is what it says.
package platforms
