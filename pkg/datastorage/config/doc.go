// Package config owns the configuration of DataStorage: one YAML file, strict, with a
// default for every key. It reads no environment and holds no secret; it only names
// the folders in which the secrets are mounted.
package config
