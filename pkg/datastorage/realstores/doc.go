// Package realstores starts PostgreSQL and Redis for tests, from the packages of the
// machine, on free ports of the loopback interface and with data in temporary folders.
// Only tests import it.
package realstores
