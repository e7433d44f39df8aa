-- What the breakers ask before every action: what was heard and what changed lately.
CREATE INDEX inbox_recent ON inbox (received_at DESC) WHERE incident_id IS NOT NULL;
CREATE INDEX incident_changed ON incident (updated_at DESC, id DESC);
