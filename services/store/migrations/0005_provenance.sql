-- Which programs wrote these data. See 0001_initial.sql for the notation.

CREATE TABLE provenance (
  name        TEXT   NOT NULL PRIMARY KEY,             -- created_by, created_at, opened_by, opened_at, schema, oldest_schema
  value       TEXT   NOT NULL                          -- a program's version, a date, a number
);
