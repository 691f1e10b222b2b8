// Package config owns the Gateway's configuration: one YAML file, its defaults and
// its checks. An unknown key is refused with its line, since a misspelt key that
// is ignored silently is the worst kind of default.
package config
