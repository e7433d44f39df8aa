-- Questions that were too many to be asked one by one stand in one message (response/fatigue.py); version is the fence.
CREATE TABLE digest (
    id text PRIMARY KEY,
    opened_at timestamptz NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL
);
CREATE INDEX digest_newest ON digest (opened_at DESC, id DESC);
CREATE INDEX approval_newest ON approval (created_at DESC, id DESC);
