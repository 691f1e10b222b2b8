package store

// Statement is what Query asks PostgreSQL for one page, so that tests can have it
// explained.
func (q Query) Statement() (string, []any) { return q.page(q.filters()) }

// CountStatement is what Query asks for the total.
func (q Query) CountStatement() (string, []any) {
	filters := q.filters()
	return "SELECT count(*) FROM audit_events" + filters.where(), filters.arguments
}

// GivenUp counts those that waited for a connection in vain.
func (s *Store) GivenUp() int64 { return s.pool.Stat().CanceledAcquireCount() }
