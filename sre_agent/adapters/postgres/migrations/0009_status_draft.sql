-- Drafts of status page updates. Nothing leaves here but by a person's command; `state` moves by compare-and-set.
CREATE TABLE status_draft (
    id text PRIMARY KEY,
    incident_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'publishing', 'unknown', 'published', 'discarded')),
    kept jsonb NOT NULL,
    made_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX status_draft_of ON status_draft (incident_id, made_at);
CREATE INDEX status_draft_waiting ON status_draft (made_at) WHERE state IN ('pending', 'publishing', 'unknown');
