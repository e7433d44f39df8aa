-- What a list of incidents shows of each, kept beside the document: a list must not read megabytes of evidence for every
-- line, and none that is filtered must read them for lines it does not show.
CREATE FUNCTION incident_headline(document jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_build_object(
        'round', document -> 'round',
        'number', document #> '{incident,number}',
        'title', left(document #>> '{incident,title}', 300),
        'service', coalesce(nullif(document #>> '{incident,service,name}', ''), document #>> '{incident,service,id}'),
        'alert_class', document #> '{triage,alert_class}',
        'labelled_class', document #> '{triage,labelled}',
        'owner', document #> '{triage,owner}',
        'verdict', document #> '{decision,verdict}',
        'action', document #> '{proposal,action}',
        'target', document #> '{proposal,target}',
        'reason', left(document ->> 'reason', 300)
    )
$$;
ALTER TABLE incident ADD COLUMN headline jsonb GENERATED ALWAYS AS (incident_headline(document)) STORED;
