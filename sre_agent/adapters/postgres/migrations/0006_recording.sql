-- What each round of an incident was decided on, as a packed case (replay/recording). It is packed already: not once more.
CREATE TABLE recording (
    incident_id text NOT NULL,
    round integer NOT NULL,
    at timestamptz NOT NULL,
    title text NOT NULL,
    verdict text NOT NULL,
    decision_sha256 text NOT NULL,
    exact boolean NOT NULL,
    size bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (incident_id, round)
);
ALTER TABLE recording ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX recording_newest ON recording (at DESC, incident_id, round) INCLUDE (size);
