-- Which incident a name belongs to, whatever door it was heard at: "pagerduty:Q...", "key:<deduplication key>", "group:<group>".
CREATE TABLE incident_name (
    name text PRIMARY KEY,
    incident_id text NOT NULL,
    named_at timestamptz NOT NULL
);
CREATE INDEX incident_name_of ON incident_name (incident_id);

-- The alerts that doors told of an incident, as they last were. `moment` is the alert's own: what is older changes nothing.
CREATE TABLE told_alert (
    incident_id text NOT NULL,
    identity text NOT NULL,
    moment timestamptz NOT NULL,
    firing boolean NOT NULL,
    alert jsonb NOT NULL,
    PRIMARY KEY (incident_id, identity)
);

-- What waits for a digest, or went out with one.
CREATE TABLE digest_line (
    incident_id text NOT NULL,
    receiver text NOT NULL,
    due_at timestamptz NOT NULL,
    line text NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (incident_id, due_at)
);
CREATE INDEX digest_line_waiting ON digest_line (receiver, due_at) WHERE sent_at IS NULL;
