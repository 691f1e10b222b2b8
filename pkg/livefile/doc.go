// Package livefile follows a configuration file while a process runs.
package livefile
