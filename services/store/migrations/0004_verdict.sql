-- What the filter decided, and what it keeps back. See 0001_initial.sql for the notation.

CREATE TABLE verdict (
  id          TEXT   NOT NULL PRIMARY KEY,             -- what the 250 and the Received field name
  message_id  TEXT   NOT NULL,                         -- the message's own, without angle brackets; '' without one
  created_at  {int}  NOT NULL,
  action      TEXT   NOT NULL,
  score       {int}  NOT NULL,                         -- in thousandths
  record      {bytes} NOT NULL                         -- JSON in a zstd frame: everything that was noticed
);
CREATE INDEX verdict_message_id ON verdict(message_id, created_at);
CREATE INDEX verdict_created ON verdict(created_at);

CREATE TABLE quarantine (                              -- one row for each recipient's copy
  id          {id},
  verdict_id  TEXT   NOT NULL,                         -- verdict.id; that row may be gone already
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  recipient   TEXT   NOT NULL,
  sender      TEXT   NOT NULL,                         -- '' is the null reverse-path
  subject     TEXT   NOT NULL,
  score       {int}  NOT NULL,                         -- in thousandths
  blob_id     {bytes} NOT NULL REFERENCES blob(id),
  prefix      {bytes} NOT NULL,                        -- trace header fields added for this recipient
  size        {int}  NOT NULL,                         -- of prefix and blob
  created_at  {int}  NOT NULL
);
CREATE INDEX quarantine_account ON quarantine(account_id, created_at);
CREATE INDEX quarantine_created ON quarantine(created_at);
CREATE INDEX quarantine_blob ON quarantine(blob_id);
