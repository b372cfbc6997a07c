-- The schema in the subset common to SQLite and PostgreSQL. The runner replaces
--   {id}    by the type of a generated primary key,
--   {int}   by a 64-bit integer, {bytes} by a byte string,
-- and appends STRICT on SQLite. Times are seconds since 1970 in UTC. Numbers that are 0 or 1 are booleans.

-- ---- directory ---------------------------------------------------------------------------------

CREATE TABLE domain (
  id             {id},
  name           TEXT   NOT NULL UNIQUE,               -- A-labels, lower case
  alias_of       {int}  REFERENCES domain(id),         -- an alias domain: every address also there
  active         {int}  NOT NULL DEFAULT 1,
  description    TEXT   NOT NULL DEFAULT '',
  separator      TEXT   NOT NULL DEFAULT '+',          -- sub-addressing; '' switches it off
  quota_bytes    {int}  NOT NULL DEFAULT 0,            -- default for new accounts; 0 is unlimited
  created_at     {int}  NOT NULL
);

CREATE TABLE account (
  id          {id},
  name        TEXT   NOT NULL UNIQUE,                  -- the address that signs in and receives
  domain_id   {int}  NOT NULL REFERENCES domain(id),
  full_name   TEXT   NOT NULL DEFAULT '',
  active      {int}  NOT NULL DEFAULT 1,               -- 0 neither receives nor signs in, 1 both, 2 receives only
  next_id     {int}  NOT NULL DEFAULT 1,               -- low half of the next message.id or mailbox.id
  modseq      {int}  NOT NULL DEFAULT 1,               -- bumped once per write transaction
  floor       {int}  NOT NULL DEFAULT 1,               -- oldest modseq for which tombstones are complete
  next_uidvalidity {int} NOT NULL DEFAULT 1,           -- only grows: a name used again gets a new one
  used_bytes  {int}  NOT NULL DEFAULT 0,
  used_count  {int}  NOT NULL DEFAULT 0,
  quota_bytes {int}  NOT NULL DEFAULT 0,               -- 0 is unlimited
  created_at  {int}  NOT NULL
);
CREATE INDEX account_domain ON account(domain_id);

CREATE TABLE credential (
  id           {id},
  account_id   {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  kind         TEXT   NOT NULL,                        -- 'password'; later 'app'
  name         TEXT   NOT NULL DEFAULT '',
  hash         TEXT   NOT NULL,                        -- PHC string or {SCHEME}… of Dovecot
  scram_salt       {bytes},                            -- SCRAM-SHA-256 verifier, NULL until the password is seen
  scram_iterations {int},
  scram_stored_key {bytes},
  scram_server_key {bytes},
  created_at   {int}  NOT NULL,
  used_at      {int}
);
CREATE INDEX credential_account ON credential(account_id);

CREATE TABLE administrator (
  id          {id},
  name        TEXT   NOT NULL UNIQUE,
  hash        TEXT   NOT NULL,
  created_at  {int}  NOT NULL
);

CREATE TABLE alias (
  id          {id},
  domain_id   {int}  NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
  localpart   TEXT   NOT NULL,                         -- folded to lower case; '' is the catch-all
  active      {int}  NOT NULL DEFAULT 1,
  comment     TEXT   NOT NULL DEFAULT '',
  created_at  {int}  NOT NULL,
  UNIQUE (domain_id, localpart)
);
CREATE TABLE alias_target (
  alias_id    {int}  NOT NULL REFERENCES alias(id) ON DELETE CASCADE,
  address     TEXT   NOT NULL,                         -- local or remote
  PRIMARY KEY (alias_id, address)
);
CREATE INDEX alias_target_address ON alias_target(address);

CREATE TABLE dkim_key (
  id          {id},
  domain_id   {int}  NOT NULL REFERENCES domain(id) ON DELETE CASCADE,
  selector    TEXT   NOT NULL,
  algorithm   TEXT   NOT NULL,                         -- 'rsa-sha256' or 'ed25519-sha256'
  private_key {bytes} NOT NULL,                        -- PKCS#8 DER
  public_key  TEXT   NOT NULL,                         -- the p= value of the DNS record
  active      {int}  NOT NULL DEFAULT 1,
  created_at  {int}  NOT NULL,
  UNIQUE (domain_id, selector)
);

-- ---- blobs (store) -----------------------------------------------------------------------------

CREATE TABLE blob (
  id          {bytes} PRIMARY KEY,                     -- 48 bits of time, 80 random bits; never reused
  size        {int}  NOT NULL,                         -- of the plain bytes
  digest      {bytes} NOT NULL,                        -- BLAKE3 of the plain bytes: integrity, not identity
  inline      {bytes},                                 -- zstd frame when small, else NULL: the file has it
  refs        {int}  NOT NULL,                         -- rows of message and queue that point here
  released_at {int},                                   -- when refs became 0
  created_at  {int}  NOT NULL
);
CREATE INDEX blob_released ON blob(released_at) WHERE refs = 0;

-- ---- mail --------------------------------------------------------------------------------------

CREATE TABLE mailbox (
  id          {int}  NOT NULL PRIMARY KEY,             -- account_id << 32 | per-account number, never used again
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  parent_id   {int}  REFERENCES mailbox(id),
  name        TEXT   NOT NULL,                         -- one level of the path
  role        TEXT,                                    -- RFC 6154 / JMAP role, lower case, without backslash
  subscribed  {int}  NOT NULL DEFAULT 0,
  uidvalidity {int}  NOT NULL,
  uidnext     {int}  NOT NULL DEFAULT 1,
  created     {int}  NOT NULL,                         -- modseq of its creation
  modseq      {int}  NOT NULL,                         -- IMAP HIGHESTMODSEQ
  total       {int}  NOT NULL DEFAULT 0,
  unseen      {int}  NOT NULL DEFAULT 0,
  deleted     {int}  NOT NULL DEFAULT 0,               -- messages with \Deleted
  size        {int}  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX mailbox_name ON mailbox(account_id, COALESCE(parent_id, 0), name);
CREATE INDEX mailbox_modseq ON mailbox(account_id, modseq);
CREATE INDEX mailbox_parent ON mailbox(parent_id);         -- for the foreign key: a delete looks for children

CREATE TABLE subscription (                            -- names subscribed without a mailbox (RFC 9051 §6.3.7)
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  name        TEXT   NOT NULL,
  PRIMARY KEY (account_id, name)
);

CREATE TABLE message (                                 -- never changes: what changes is in entry and keyword
  id          {int}  NOT NULL PRIMARY KEY,             -- account_id << 32 | per-account number
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  blob_id     {bytes} NOT NULL REFERENCES blob(id),
  size        {int}  NOT NULL,                         -- of prefix and blob
  received_at {int}  NOT NULL,                         -- INTERNALDATE
  sent_at     {int},
  thread_id   {int}  NOT NULL,
  created     {int}  NOT NULL,                         -- modseq of its creation
  prefix      {bytes} NOT NULL,                        -- trace header fields added for this recipient
  envelope    {bytes} NOT NULL                         -- mime::Summary of prefix and blob
);
CREATE INDEX message_thread ON message(account_id, thread_id);
CREATE INDEX message_blob ON message(blob_id);

CREATE TABLE keyword (
  message_id  {int}  NOT NULL REFERENCES message(id) ON DELETE CASCADE,
  name        TEXT   NOT NULL,
  PRIMARY KEY (message_id, name)
);

CREATE TABLE entry (                                   -- message in mailbox, with all its changing state
  mailbox_id  {int}  NOT NULL REFERENCES mailbox(id) ON DELETE CASCADE,
  uid         {int}  NOT NULL,
  message_id  {int}  NOT NULL REFERENCES message(id) ON DELETE CASCADE,
  modseq      {int}  NOT NULL,
  flags       {int}  NOT NULL DEFAULT 0,               -- equal in all entries of one message
  PRIMARY KEY (mailbox_id, uid)
);
CREATE INDEX entry_modseq ON entry(mailbox_id, modseq);
CREATE INDEX entry_message ON entry(message_id);

CREATE TABLE vanished (
  mailbox_id  {int}  NOT NULL REFERENCES mailbox(id) ON DELETE CASCADE,
  modseq      {int}  NOT NULL,
  uid_first   {int}  NOT NULL,
  uid_last    {int}  NOT NULL,
  PRIMARY KEY (mailbox_id, modseq, uid_first)
);

CREATE TABLE tombstone (
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  kind        {int}  NOT NULL,
  object_id   {int}  NOT NULL,
  created     {int}  NOT NULL,
  modseq      {int}  NOT NULL,
  PRIMARY KEY (account_id, kind, modseq, object_id)
);

CREATE TABLE thread_ref (
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  msgid_hash  {int}  NOT NULL,
  thread_id   {int}  NOT NULL,
  PRIMARY KEY (account_id, msgid_hash, thread_id)
);

-- ---- queue -------------------------------------------------------------------------------------

CREATE TABLE queue (
  id          {id},
  blob_id     {bytes} NOT NULL REFERENCES blob(id),
  prefix      {bytes} NOT NULL,                        -- signatures and trace fields in front of the blob
  sender      TEXT   NOT NULL,                         -- '' is the null reverse-path
  account_id  {int}  REFERENCES account(id) ON DELETE SET NULL, -- who submitted it
  smtputf8    {int}  NOT NULL DEFAULT 0,
  eightbit    {int}  NOT NULL DEFAULT 0,
  size        {int}  NOT NULL,
  held        {int}  NOT NULL DEFAULT 0,
  report      {int}  NOT NULL DEFAULT 1,               -- 0: the sender is unverified and gets no reports
  created_at  {int}  NOT NULL,
  delay_notice_at {int},                               -- NULL: none is due any more
  expires_at  {int}  NOT NULL
);
CREATE INDEX queue_blob ON queue(blob_id);

CREATE TABLE queue_rcpt (
  queue_id    {int}  NOT NULL REFERENCES queue(id) ON DELETE CASCADE,
  rcpt        TEXT   NOT NULL,
  original    TEXT   NOT NULL DEFAULT '',              -- the address before aliases, for reports
  next_hop    TEXT   NOT NULL,                         -- the domain deliveries are grouped by
  due_at      {int}  NOT NULL,
  lease_until {int}  NOT NULL DEFAULT 0,
  lease_node  {int}  NOT NULL DEFAULT 0,
  attempts    {int}  NOT NULL DEFAULT 0,
  status      TEXT   NOT NULL DEFAULT '',              -- the last reply or error, for people
  PRIMARY KEY (queue_id, rcpt)
);
CREATE INDEX queue_due ON queue_rcpt(due_at);

CREATE TABLE task (
  id          {id},
  kind        {int}  NOT NULL,
  key         {int}  NOT NULL,
  due_at      {int}  NOT NULL,
  lease_until {int}  NOT NULL DEFAULT 0
);
CREATE INDEX task_due ON task(due_at);
