-- What administrators and users say about filtering. See 0001_initial.sql for the notation.
--
-- What belongs to an account has account_id, what belongs to a domain has domain_id, what is for
-- everybody has neither. Scores are in thousandths of a point.

CREATE TABLE policy_revision (                         -- the newest change of each section
  section     TEXT   NOT NULL PRIMARY KEY,             -- 'map', 'sender', 'setting', 'network', …
  revision    {int}  NOT NULL                          -- of one counter that all sections share
);

CREATE TABLE map (                                     -- maps that were made or edited here
  id          {id},
  name        TEXT   NOT NULL UNIQUE,                  -- 'bad_words.map'; that of a built-in map replaces it
  kind        TEXT   NOT NULL,                         -- 'pattern', 'address', 'domain', 'network', 'word', 'asn'
  symbol      TEXT   NOT NULL UNIQUE,                  -- what its rule is called
  scope       TEXT   NOT NULL,                         -- what it is compared with
  score       {int}  NOT NULL,
  effect      TEXT   NOT NULL,                         -- 'score', 'score_unkept', 'accept', 'reject', 'no_log'
  active      {int}  NOT NULL DEFAULT 1,
  description TEXT   NOT NULL DEFAULT '',
  body        TEXT   NOT NULL,                         -- as it was written, comments included
  updated_at  {int}  NOT NULL
);

CREATE TABLE sender_entry (                            -- allow and deny lists
  id          {id},
  account_id  {int}  REFERENCES account(id) ON DELETE CASCADE,
  domain_id   {int}  REFERENCES domain(id) ON DELETE CASCADE,
  value       TEXT   NOT NULL,                         -- address, domain, network or wildcard, in one spelling
  verdict     TEXT   NOT NULL,                         -- 'allow' or 'deny'
  part        TEXT   NOT NULL,                         -- 'both', 'envelope', 'header'
  comment     TEXT   NOT NULL DEFAULT '',
  created_at  {int}  NOT NULL
);
CREATE UNIQUE INDEX sender_entry_value
  ON sender_entry(COALESCE(account_id, 0), COALESCE(domain_id, 0), value, verdict);
CREATE INDEX sender_entry_account ON sender_entry(account_id); -- for the foreign keys
CREATE INDEX sender_entry_domain ON sender_entry(domain_id);

CREATE TABLE sender_list (                             -- when an owner's entries changed last
  id          {id},
  account_id  {int}  REFERENCES account(id) ON DELETE CASCADE,
  domain_id   {int}  REFERENCES domain(id) ON DELETE CASCADE,
  revision    {int}  NOT NULL
);
CREATE UNIQUE INDEX sender_list_owner
  ON sender_list(COALESCE(account_id, 0), COALESCE(domain_id, 0));
CREATE INDEX sender_list_revision ON sender_list(revision);
CREATE INDEX sender_list_account ON sender_list(account_id);
CREATE INDEX sender_list_domain ON sender_list(domain_id);

CREATE TABLE policy_setting (                          -- NULL is not set: the next wider one counts
  id             {id},
  account_id     {int}  REFERENCES account(id) ON DELETE CASCADE,
  domain_id      {int}  REFERENCES domain(id) ON DELETE CASCADE,
  greylist       {int},                                -- from this score on
  junk           {int},
  rewrite        {int},
  quarantine     {int},
  reject         {int},
  discard        {int},
  subject_prefix TEXT,                                 -- what a rewritten subject begins with
  tagged         TEXT,                                 -- 'plain', 'subject', 'subfolder': mail for user+tag@
  spam           TEXT,                                 -- 'junk' or 'quarantine'
  limit_messages {int},                                -- rate limit of submission
  limit_seconds  {int}
);
CREATE UNIQUE INDEX policy_setting_owner
  ON policy_setting(COALESCE(account_id, 0), COALESCE(domain_id, 0));
CREATE INDEX policy_setting_account ON policy_setting(account_id);
CREATE INDEX policy_setting_domain ON policy_setting(domain_id);

CREATE TABLE policy_network (
  id          {id},
  account_id  {int}  REFERENCES account(id) ON DELETE CASCADE,
  purpose     TEXT   NOT NULL,                         -- 'own', 'forwarding', 'forwarding_unfiltered', 'submission'
  network     TEXT   NOT NULL,                         -- with its prefix length
  comment     TEXT   NOT NULL DEFAULT '',
  created_at  {int}  NOT NULL
);
CREATE UNIQUE INDEX policy_network_value
  ON policy_network(COALESCE(account_id, 0), network, purpose);
CREATE INDEX policy_network_account ON policy_network(account_id);

CREATE TABLE address_role (                            -- addresses whose mail is treated in a special way
  address     TEXT   NOT NULL PRIMARY KEY,             -- lower case
  role        TEXT   NOT NULL,                         -- 'internal', 'ham_trap', 'spam_trap'
  comment     TEXT   NOT NULL DEFAULT '',
  created_at  {int}  NOT NULL
);

CREATE TABLE known_contact (                           -- addresses of an account's address books
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  address     TEXT   NOT NULL,                         -- without tags, Google's without dots
  PRIMARY KEY (account_id, address)
);

CREATE TABLE rule_set (
  id          {id},
  name        TEXT   NOT NULL UNIQUE,
  body        {bytes} NOT NULL,                        -- TOML, as a zstd frame
  size        {int}  NOT NULL,                         -- of the TOML
  position    {int}  NOT NULL,                         -- later ones override earlier ones
  enabled     {int}  NOT NULL DEFAULT 1,
  source      TEXT   NOT NULL DEFAULT '',              -- where it was imported from
  updated_at  {int}  NOT NULL
);
