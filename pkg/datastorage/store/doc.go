// Package store owns PostgreSQL: the schema and its migrations, the monthly
// partitions, writing each event once, and reading events back. It also watches the
// database and says whether it can be used at the moment.
package store
