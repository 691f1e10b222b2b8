-- +goose Up
CREATE TABLE audit_events (
    event_id        uuid         NOT NULL,
    event_date      date         NOT NULL,
    event_version   varchar(10)  NOT NULL,
    event_timestamp timestamptz  NOT NULL,
    event_type      varchar(100) NOT NULL,
    event_category  varchar(50)  NOT NULL,
    event_action    varchar(50)  NOT NULL,
    event_outcome   varchar(20)  NOT NULL,
    severity        varchar(20),
    actor_type      varchar(50)  NOT NULL,
    actor_id        varchar(255) NOT NULL,
    resource_type   varchar(100),
    resource_id     varchar(255),
    correlation_id  varchar(255) NOT NULL,
    namespace       varchar(253),
    cluster_name    varchar(255),
    event_data      jsonb        NOT NULL,
    recorded_at     timestamptz  NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, event_date),
    CONSTRAINT audit_events_date_is_utc_day
        CHECK (event_date = (event_timestamp AT TIME ZONE 'UTC')::date),
    CONSTRAINT audit_events_outcome
        CHECK (event_outcome IN ('success', 'failure', 'pending')),
    CONSTRAINT audit_events_severity
        CHECK (severity IN ('critical', 'warning', 'info')),
    CONSTRAINT audit_events_data_is_object
        CHECK (jsonb_typeof(event_data) = 'object')
) PARTITION BY RANGE (event_date);

-- Every query sorts by (event_timestamp, event_id), newest first.
CREATE INDEX audit_events_newest ON audit_events (event_timestamp DESC, event_id DESC);
CREATE INDEX audit_events_correlation ON audit_events (correlation_id, event_timestamp DESC, event_id DESC);
CREATE INDEX audit_events_type ON audit_events (event_type, event_timestamp DESC);
CREATE INDEX audit_events_data ON audit_events USING gin (event_data);

-- A primary key of a partitioned table must contain the partition key, so it alone
-- would let one event_id in once per day. This table makes the id unique over all
-- partitions: the first event with an id wins.
CREATE TABLE audit_event_ids (
    event_id   uuid PRIMARY KEY,
    event_date date NOT NULL
);

-- When a partition is dropped, the ids of its days go with it.
CREATE INDEX audit_event_ids_date ON audit_event_ids (event_date);

-- +goose Down
DROP TABLE audit_event_ids;
DROP TABLE audit_events;
