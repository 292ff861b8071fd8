-- One row per unit of work: the outcome as it stands, with the parts that it was settled from.
CREATE TABLE outcomes (
  id               TEXT PRIMARY KEY,  -- the unit's first key
  agent            TEXT NOT NULL,
  scope            TEXT NOT NULL,
  executor         TEXT NOT NULL,     -- local | delegate
  arm              TEXT NOT NULL,
  model            TEXT,
  reasoning_effort TEXT,
  asked            TEXT,              -- JSON Dispatch: what was asked for
  kind             TEXT,
  session_id       TEXT,
  started_at       REAL,              -- Unix seconds
  ended_at         REAL,
  ended            INTEGER NOT NULL,  -- 0: still running, not counted
  wall_time_ms     INTEGER,
  cost_usd         REAL,
  cost_estimated   INTEGER NOT NULL,
  tokens           TEXT,              -- JSON Tokens
  succeeded        REAL,              -- in [0, 1]; NULL: unknown
  weight           REAL NOT NULL,
  signal           TEXT NOT NULL,
  censored         TEXT,
  delegations      INTEGER NOT NULL,
  decision_id      TEXT,
  transcript       TEXT,
  features         TEXT NOT NULL,     -- JSON, no prompt text
  learnt           TEXT,              -- JSON Contribution without its features; NULL: nothing is learnt
  origin           TEXT,              -- the group whose reading `log` is; NULL: reported only
  log              TEXT               -- JSON Completion, no prompt text unless privacy.store_text
) STRICT;
CREATE INDEX outcomes_by_group ON outcomes (agent, executor, ended, signal);
CREATE INDEX outcomes_by_end ON outcomes (ended_at);
CREATE INDEX outcomes_running ON outcomes (origin) WHERE ended = 0;

-- Every name of a unit; units that share one are the same unit.
CREATE TABLE outcome_keys (
  key        TEXT PRIMARY KEY,
  outcome_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outcome_keys_by_outcome ON outcome_keys (outcome_id);

-- What clients and people said, as they said it.
CREATE TABLE reports (
  outcome_id TEXT PRIMARY KEY,        -- the client's own id of the report
  unit       TEXT NOT NULL,           -- outcomes.id
  at         REAL NOT NULL,
  body       TEXT NOT NULL            -- JSON Report
) STRICT;
CREATE INDEX reports_by_unit ON reports (unit);

CREATE TABLE decisions (
  id         TEXT PRIMARY KEY,
  at         REAL NOT NULL,
  scope      TEXT NOT NULL,
  agent      TEXT,
  session_id TEXT,
  arm        TEXT NOT NULL,
  propensity REAL NOT NULL,
  explored   INTEGER NOT NULL,
  basis      TEXT NOT NULL,
  policy     TEXT NOT NULL,
  body       TEXT NOT NULL            -- JSON Decision
) STRICT;
CREATE INDEX decisions_by_time ON decisions (at);

CREATE TABLE decision_keys (
  key         TEXT PRIMARY KEY,
  decision_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- How far each log file was read, written in the transaction of the rows that came of it.
CREATE TABLE files (
  path     TEXT PRIMARY KEY,
  agent    TEXT NOT NULL,
  grp      TEXT NOT NULL,
  kind     TEXT NOT NULL,             -- lines | document | database
  dev      INTEGER NOT NULL,
  ino      INTEGER NOT NULL,
  size     INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  position INTEGER NOT NULL           -- bytes whose lines were all taken in
) STRICT, WITHOUT ROWID;

-- Posteriors are a fold over `outcomes`. The snapshot is that fold at some moment; `changed` holds what each row that
-- changed since then had contributed, so that start-up takes that back and adds what the row says now.
CREATE TABLE snapshot (
  id   INTEGER PRIMARY KEY CHECK (id = 1),
  at   REAL NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE changed (
  id  TEXT PRIMARY KEY,
  old TEXT                            -- JSON Contribution; NULL: it contributed nothing
) STRICT, WITHOUT ROWID;
