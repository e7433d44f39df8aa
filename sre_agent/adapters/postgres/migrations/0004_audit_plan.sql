-- Finds an (action, service)'s own incidents in the chain, for the autonomy they have earned (track_record.py). An entry
-- that is no JSON (somebody changed it) or about no plan is in no index, and never keeps another from being appended.
CREATE FUNCTION audit_plan(entry text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    said jsonb;
BEGIN
    said := entry::jsonb;
    IF said ->> 'kind' IN ('approval_requested', 'execution_started', 'action_permitted') THEN
        RETURN ARRAY[
            left(said #>> '{detail,request,proposal,action}', 200), left(said #>> '{detail,request,declaration,service}', 200)
        ];
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception OR untranslatable_character OR program_limit_exceeded THEN
    RETURN NULL;
END $$;
CREATE INDEX audit_of_plan ON audit (audit_plan(entry), sequence) WHERE audit_plan(entry) IS NOT NULL;
