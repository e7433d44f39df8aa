-- audit_plan (0004) finds what people signed about plans in shadow as well. The index is made again over the new function.
DROP INDEX audit_of_plan;
CREATE OR REPLACE FUNCTION audit_plan(entry text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    said jsonb;
BEGIN
    said := entry::jsonb;
    IF said ->> 'kind' IN ('approval_requested', 'execution_started', 'action_permitted') THEN
        RETURN ARRAY[
            left(said #>> '{detail,request,proposal,action}', 200), left(said #>> '{detail,request,declaration,service}', 200)
        ];
    ELSIF said ->> 'kind' IN ('shadow_agreed', 'shadow_disagreed') THEN
        RETURN ARRAY[left(said #>> '{detail,action}', 200), left(said #>> '{detail,service}', 200)];
    END IF;
    RETURN NULL;
EXCEPTION WHEN data_exception OR untranslatable_character OR program_limit_exceeded THEN
    RETURN NULL;
END $$;
CREATE INDEX audit_of_plan ON audit (audit_plan(entry), sequence) WHERE audit_plan(entry) IS NOT NULL;
