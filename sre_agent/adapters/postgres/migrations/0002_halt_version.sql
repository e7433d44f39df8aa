-- The kill switch belongs to the version of the program that was running when it was moved: any other version counts
-- as halted until a person resumes it. '' is a database from before this was kept.
ALTER TABLE halt ADD COLUMN version text NOT NULL DEFAULT '';
ALTER TABLE halt ADD COLUMN cause text NOT NULL DEFAULT 'person';
