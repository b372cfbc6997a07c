-- See 0001_initial.sql for the notation. What the server remembers of mail it has seen (learn).
-- Every table is bounded: rows expire, and beyond its limit the oldest go first.

-- ---- Bayes -------------------------------------------------------------------------------------

CREATE TABLE bayes_owner (
  owner         {int}  NOT NULL PRIMARY KEY,           -- 0 is everybody's, else the account
  account_id    {int}  UNIQUE REFERENCES account(id) ON DELETE CASCADE, -- NULL for 0
  learned_ham   {int}  NOT NULL DEFAULT 0,             -- messages that count now
  learned_spam  {int}  NOT NULL DEFAULT 0,
  weight_ham    {int}  NOT NULL DEFAULT 0,             -- messages the counts in the pages stand for
  weight_spam   {int}  NOT NULL DEFAULT 0,
  page_bytes    {int}  NOT NULL DEFAULT 0,
  journal_count {int}  NOT NULL DEFAULT 0,
  journal_bytes {int}  NOT NULL DEFAULT 0,
  changed_at    {int}  NOT NULL
);

CREATE TABLE bayes_page (                              -- counts per word in ascending order of hash
  owner       {int}  NOT NULL REFERENCES bayes_owner(owner) ON DELETE CASCADE,
  page        {int}  NOT NULL,                         -- 0, 1, 2, …
  data        {bytes} NOT NULL,                        -- zstd frame
  PRIMARY KEY (owner, page)
);

CREATE TABLE bayes_journal (                           -- what was learned since the pages were written
  owner       {int}  NOT NULL REFERENCES bayes_owner(owner) ON DELETE CASCADE,
  number      {int}  NOT NULL,                         -- 1, 2, 3, … since the pages were written
  change      {int}  NOT NULL,                         -- 0 add ham, 1 add spam, 2 take ham back, 3 take spam back
  tokens      {bytes} NOT NULL,                        -- six bytes for each word
  PRIMARY KEY (owner, number)
);

CREATE TABLE bayes_learned (                           -- a message counts once
  owner       {int}  NOT NULL REFERENCES bayes_owner(owner) ON DELETE CASCADE,
  digest      {bytes} NOT NULL,
  spam        {int}  NOT NULL,
  learned_at  {int}  NOT NULL,
  PRIMARY KEY (owner, digest)
);
CREATE INDEX bayes_learned_at ON bayes_learned(learned_at);

-- ---- reputation --------------------------------------------------------------------------------

CREATE TABLE reputation (
  kind        {int}  NOT NULL,                         -- 0 address, 1 network, 2 domain, 3 sender, 4 AS
  subject     {int}  NOT NULL,                         -- hash of what it is about
  ham         {int}  NOT NULL,                         -- thousandths of a message, as of changed_at
  spam        {int}  NOT NULL,
  changed_at  {int}  NOT NULL,
  PRIMARY KEY (kind, subject)
);
CREATE INDEX reputation_changed ON reputation(changed_at);

-- ---- correspondents ----------------------------------------------------------------------------

CREATE TABLE correspondent (                           -- whom an account writes to
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  peer        {int}  NOT NULL,                         -- hash of the address
  sent        {int}  NOT NULL,
  last_at     {int}  NOT NULL,
  PRIMARY KEY (account_id, peer)
);
CREATE INDEX correspondent_last ON correspondent(last_at);

CREATE TABLE sent_message (                            -- to recognise answers
  account_id  {int}  NOT NULL REFERENCES account(id) ON DELETE CASCADE,
  msgid_hash  {int}  NOT NULL,
  sent_at     {int}  NOT NULL,
  PRIMARY KEY (account_id, msgid_hash)
);
CREATE INDEX sent_message_at ON sent_message(sent_at);

-- ---- fuzzy hashes ------------------------------------------------------------------------------

CREATE TABLE fuzzy (
  id          {id},
  digest      {bytes} NOT NULL,                        -- of an attachment, an image, or a text's shingles
  flag        {int}  NOT NULL,                         -- 1 denied, 2 probable, 3 white
  weight      {int}  NOT NULL,                         -- reports
  shingles    {bytes},                                 -- a text's 32 numbers of 32 bits, else NULL
  seen_at     {int}  NOT NULL,
  UNIQUE (digest, flag)
);
CREATE INDEX fuzzy_seen ON fuzzy(seen_at);

CREATE TABLE fuzzy_band (                              -- finds texts that share two neighbouring shingles
  band        {int}  NOT NULL,
  fuzzy_id    {int}  NOT NULL REFERENCES fuzzy(id) ON DELETE CASCADE,
  PRIMARY KEY (band, fuzzy_id)
);
CREATE INDEX fuzzy_band_of ON fuzzy_band(fuzzy_id);

-- ---- greylist ----------------------------------------------------------------------------------

CREATE TABLE greylist (
  triplet     {int}  NOT NULL PRIMARY KEY,             -- hash of network, sender and recipient
  first_at    {int}  NOT NULL,
  passed      {int}  NOT NULL DEFAULT 0,
  expires_at  {int}  NOT NULL
);
CREATE INDEX greylist_expires ON greylist(expires_at);

CREATE TABLE greylist_network (
  network     {int}  NOT NULL PRIMARY KEY,             -- hash of a /24 or /64
  passes      {int}  NOT NULL,
  expires_at  {int}  NOT NULL
);
CREATE INDEX greylist_network_expires ON greylist_network(expires_at);
