-- What the doors heard. One row per event, however often and through however many subscriptions it came.
CREATE TABLE inbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    door text NOT NULL,
    delivery_id text NOT NULL,
    event_id text NOT NULL,
    incident_id text,
    type_name text NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    event jsonb NOT NULL,
    body bytea NOT NULL
);
CREATE UNIQUE INDEX inbox_delivery ON inbox (door, delivery_id) WHERE delivery_id <> '';
CREATE UNIQUE INDEX inbox_event ON inbox (door, event_id) WHERE event_id <> '';
CREATE UNIQUE INDEX inbox_occurrence ON inbox (incident_id, type_name, occurred_at, door) WHERE incident_id IS NOT NULL;

-- One row per incident; version is the fence every change compares and sets.
CREATE TABLE incident (
    id text PRIMARY KEY,
    version integer NOT NULL,
    state text NOT NULL,
    received_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    document jsonb NOT NULL
);
CREATE INDEX incident_newest ON incident (received_at DESC, id DESC);
CREATE INDEX incident_state ON incident (state, received_at DESC);

CREATE TABLE approval (
    id text PRIMARY KEY,
    incident_id text NOT NULL REFERENCES incident (id),
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    document jsonb NOT NULL
);
CREATE INDEX approval_state ON approval (state, created_at DESC);
CREATE INDEX approval_incident ON approval (incident_id);

-- One row per effect, ever. Columns beside the document are what budgets count and keys protect.
CREATE TABLE intent (
    key text PRIMARY KEY,
    permit_id text NOT NULL UNIQUE,
    incident_id text NOT NULL,
    action text NOT NULL,
    target_key text NOT NULL,
    service text NOT NULL,
    state text NOT NULL CHECK (state IN ('intent', 'done', 'not_done', 'failed', 'unknown')),
    created_at timestamptz NOT NULL,
    document jsonb NOT NULL
);
CREATE INDEX intent_recent ON intent (created_at DESC);
CREATE INDEX intent_incident ON intent (incident_id);
CREATE INDEX intent_open ON intent (target_key) WHERE state = 'intent';

-- The audit chain. The entry is text, not jsonb: its hash is over the exact characters.
CREATE TABLE audit (
    sequence bigint PRIMARY KEY,
    previous text NOT NULL,
    hash text NOT NULL,
    incident_id text,
    entry text NOT NULL
);
CREATE INDEX audit_incident ON audit (incident_id, sequence);

-- The chain's head: who appends locks this row, so there is one writer at a time; and a chain cut at its
-- end no longer agrees with it.
CREATE TABLE audit_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    sequence bigint NOT NULL,
    hash text NOT NULL
);
INSERT INTO audit_head (sequence, hash) VALUES (0, repeat('0', 64));

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit chain is append-only: % is not allowed', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- The head only ever moves on by one.
CREATE FUNCTION audit_head_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR NEW.sequence <> OLD.sequence + 1 THEN
        RAISE EXCEPTION 'the head of the audit chain only moves on by one' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_head_moves BEFORE UPDATE OR DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_head_moves_on();
CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();

-- The kill switch. No row, or no answer, means halted.
CREATE TABLE halt (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    engaged boolean NOT NULL,
    moved_by text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL
);

-- A job's priority: minus its due time in seconds since 2020, so that whoever is due earlier goes first
-- (see adapters/postgres/queue.py).
CREATE FUNCTION job_priority(due timestamptz) RETURNS integer LANGUAGE sql STABLE
    RETURN -floor(extract(epoch FROM due) - 1577836800)::integer;
