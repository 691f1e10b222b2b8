-- +goose Up
-- Ids come in the order of their days but for a week, so ranges of blocks find those
-- of a dropped month as well as a tree did, at a thousandth of the size and no work
-- per insert.
DROP INDEX audit_event_ids_date;
CREATE INDEX audit_event_ids_date ON audit_event_ids USING brin (event_date);

-- Only containment (@>) is asked of the data; hashed paths answer it with half the
-- entries per event.
DROP INDEX audit_events_data;
CREATE INDEX audit_events_data ON audit_events USING gin (event_data jsonb_path_ops);

-- Totals are counted in an index alone. A span of time asks for event_date too, so that
-- partitions are left out; without that column each row would be fetched for it.
DROP INDEX audit_events_newest;
CREATE INDEX audit_events_newest ON audit_events (event_timestamp DESC, event_id DESC)
    INCLUDE (event_date, event_category, event_outcome, severity);

-- Pages and counts of one type are read from its own index in their order.
DROP INDEX audit_events_type;
CREATE INDEX audit_events_type ON audit_events (event_type, event_timestamp DESC, event_id DESC)
    INCLUDE (event_date);

-- Few values, many rows: equal keys share one entry, so that this index is a few
-- bytes per event, and the total of any combination of filters is counted in it alone.
CREATE INDEX audit_events_filters ON audit_events (event_type, event_category, event_outcome, severity);

-- What did not succeed is asked for most and is a few percent of all: walking the
-- newest events for it would read twenty to find one, and all when there is none.
CREATE INDEX audit_events_exceptions ON audit_events (event_outcome, event_timestamp DESC, event_id DESC)
    INCLUDE (event_date) WHERE event_outcome <> 'success';

-- +goose Down
DROP INDEX audit_events_exceptions;
DROP INDEX audit_events_filters;
DROP INDEX audit_events_type;
CREATE INDEX audit_events_type ON audit_events (event_type, event_timestamp DESC);
DROP INDEX audit_events_newest;
CREATE INDEX audit_events_newest ON audit_events (event_timestamp DESC, event_id DESC);
DROP INDEX audit_events_data;
CREATE INDEX audit_events_data ON audit_events USING gin (event_data);
DROP INDEX audit_event_ids_date;
CREATE INDEX audit_event_ids_date ON audit_event_ids (event_date);
