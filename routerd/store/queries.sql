-- name: keys
SELECT key, outcome_id FROM outcome_keys WHERE key IN (SELECT value FROM json_each(?));

-- name: keys_of
SELECT key, outcome_id FROM outcome_keys WHERE outcome_id IN (SELECT value FROM json_each(?));

-- name: outcomes
SELECT {outcome_columns} FROM outcomes WHERE id IN (SELECT value FROM json_each(?));

-- name: reports_of
SELECT unit, body FROM reports WHERE unit IN (SELECT value FROM json_each(?));

-- name: reports
SELECT outcome_id, body FROM reports WHERE outcome_id IN (SELECT value FROM json_each(?));

-- name: decisions_by_key
SELECT key, decision_id FROM decision_keys WHERE key IN (SELECT value FROM json_each(?));

-- name: decision_keys_of
SELECT key, decision_id FROM decision_keys WHERE decision_id IN (SELECT value FROM json_each(?));

-- name: decisions
SELECT id, body FROM decisions WHERE id IN (SELECT value FROM json_each(?));

-- name: put_outcome
INSERT OR REPLACE INTO outcomes ({outcome_columns}) VALUES ({outcome_marks});

-- name: put_key
INSERT OR REPLACE INTO outcome_keys (key, outcome_id) VALUES (?, ?);

-- name: put_report
INSERT OR REPLACE INTO reports (outcome_id, unit, at, body) VALUES (?, ?, ?, ?);

-- name: put_decision
INSERT OR IGNORE INTO decisions (id, at, scope, agent, session_id, arm, propensity, explored, basis, policy, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_decision_key
INSERT OR IGNORE INTO decision_keys (key, decision_id) VALUES (?, ?);

-- name: put_file
INSERT OR REPLACE INTO files (path, agent, grp, kind, dev, ino, size, mtime_ns, position, checked)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: journal
-- Only the first contribution since the snapshot counts: that is what the snapshot holds.
INSERT OR IGNORE INTO changed (id, old) VALUES (?, ?);

-- name: forget_outcome
DELETE FROM outcomes WHERE id = ?;

-- name: forget_keys
DELETE FROM outcome_keys WHERE outcome_id = ?;

-- name: files
SELECT path, agent, grp, kind, dev, ino, size, mtime_ns, position, checked FROM files;

-- name: running
SELECT DISTINCT origin FROM outcomes WHERE ended = 0 AND origin IS NOT NULL;

-- name: put_snapshot
INSERT OR REPLACE INTO snapshot (id, at, body) VALUES (1, ?, ?);

-- name: forget_journal
DELETE FROM changed;

-- name: forget_decisions
DELETE FROM decisions WHERE at < ? AND id NOT IN (SELECT decision_id FROM outcomes WHERE decision_id IS NOT NULL);

-- name: forget_decision_keys
DELETE FROM decision_keys WHERE decision_id NOT IN (SELECT id FROM decisions);

-- name: snapshot
SELECT at, body FROM snapshot;

-- name: changed
SELECT changed.old, outcomes.learnt, outcomes.features FROM changed LEFT JOIN outcomes ON outcomes.id = changed.id;

-- name: learnt
SELECT learnt, features FROM outcomes WHERE learnt IS NOT NULL;

-- name: counts
SELECT
  (SELECT count(*) FROM decisions),
  (SELECT count(*) FROM outcomes WHERE ended = 1),
  (SELECT count(*) FROM outcomes WHERE ended = 1 AND signal = 'unknown'),
  (SELECT count(*) FROM reports);

-- name: completions
SELECT agent, executor, count(*) FROM outcomes WHERE ended = 1 GROUP BY agent, executor;

-- name: summary
SELECT agent, executor, model, wall_time_ms, cost_usd, cost_estimated, succeeded, weight, censored
FROM outcomes WHERE ended = 1;

-- name: decision
SELECT body FROM decisions WHERE id = ?;

-- name: explored_since
SELECT body FROM decisions WHERE at >= ? AND explored ORDER BY at;

-- name: outcome_of_decision
SELECT id, arm, succeeded, signal, censored, wall_time_ms, cost_usd, ended_at, ended
FROM outcomes WHERE id = (SELECT outcome_id FROM outcome_keys WHERE key = ?);

-- name: recent
SELECT id, ended_at, agent, arm, succeeded, wall_time_ms, cost_usd, transcript, features
FROM outcomes WHERE ended = 1 AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?;

-- name: ended_since
-- A row that is replaced gets a new rowid, larger than every other: what comes after a rowid is what has changed since.
SELECT rowid, id, agent, scope, arm, model, kind, session_id, ended_at, wall_time_ms, cost_usd, tokens, succeeded, signal,
  censored, learnt IS NOT NULL, features, CASE WHEN ? THEN json_extract(log, '$.task.goal') END,
  (SELECT json_group_array(key) FROM outcome_keys WHERE outcome_id = outcomes.id)
FROM outcomes WHERE ended = 1 AND rowid > ? ORDER BY rowid LIMIT ?;

-- name: columns_kept
SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table' ORDER BY 1, c.cid;

-- name: delegated
SELECT count(*), sum(censored IS NOT NULL), min(ended_at)
FROM outcomes WHERE executor = 'delegate' AND ended = 1 AND ended_at >= ?;

-- name: tasks_learnt
-- A report that names only its decision says nothing of the agent; the decision may know it.
SELECT coalesce(nullif(outcomes.agent, 'unknown'), decisions.agent, 'unknown'), outcomes.kind, outcomes.learnt,
  outcomes.features, decisions.propensity
FROM outcomes LEFT JOIN decisions ON decisions.id = outcomes.decision_id
WHERE outcomes.executor = 'delegate' AND outcomes.learnt IS NOT NULL AND outcomes.ended_at >= ?;

-- name: decisions_learnt
SELECT decisions.body, coalesce(nullif(outcomes.agent, 'unknown'), decisions.agent, 'unknown'), outcomes.kind,
  outcomes.learnt
FROM outcomes JOIN decisions ON decisions.id = outcomes.decision_id
WHERE outcomes.learnt IS NOT NULL AND outcomes.ended_at >= ? AND decisions.basis IN ('learned', 'prior');

-- name: asked
SELECT agent, session_id, executor, asked, arm, model, tokens, ended_at
FROM outcomes WHERE ended = 1 AND asked IS NOT NULL AND ended_at >= ?;

-- name: metric_decisions
SELECT coalesce(agent, 'unknown'), arm, basis, policy, explored, count(*) FROM decisions GROUP BY 1, 2, 3, 4, 5;

-- name: metric_outcomes
SELECT agent, executor, arm, coalesce(model, 'unknown'),
  CASE WHEN censored IS NOT NULL THEN 'censored' WHEN succeeded IS NULL THEN 'unknown'
       WHEN succeeded >= 0.5 THEN 'success' ELSE 'failure' END,
  count(*)
FROM outcomes WHERE ended = 1 GROUP BY 1, 2, 3, 4, 5;

-- name: metric_costs
SELECT agent, executor, arm, coalesce(model, 'unknown'), cost_estimated, sum(cost_usd)
FROM outcomes WHERE ended = 1 AND cost_usd IS NOT NULL GROUP BY 1, 2, 3, 4, 5;

-- name: metric_tokens
SELECT agent, executor, arm, coalesce(model, 'unknown'), sum(coalesce(json_extract(tokens, '$.input'), 0)),
  sum(coalesce(json_extract(tokens, '$.output'), 0)), sum(coalesce(json_extract(tokens, '$.cache_read'), 0)),
  sum(coalesce(json_extract(tokens, '$.cache_write'), 0))
FROM outcomes WHERE ended = 1 AND tokens IS NOT NULL GROUP BY 1, 2, 3, 4;

-- name: metric_durations
SELECT agent, executor, arm, coalesce(model, 'unknown'), count(*), sum(wall_time_ms) / 1000.0,
  sum(wall_time_ms <= 1000 * ?), sum(wall_time_ms <= 1000 * ?), sum(wall_time_ms <= 1000 * ?),
  sum(wall_time_ms <= 1000 * ?), sum(wall_time_ms <= 1000 * ?), sum(wall_time_ms <= 1000 * ?),
  sum(wall_time_ms <= 1000 * ?), sum(wall_time_ms <= 1000 * ?)
FROM outcomes WHERE ended = 1 AND wall_time_ms IS NOT NULL AND censored IS NULL GROUP BY 1, 2, 3, 4;

-- name: metric_last
SELECT agent, max(ended_at) FROM outcomes WHERE ended = 1 AND ended_at IS NOT NULL GROUP BY agent;

-- name: decisions_and_tasks
SELECT decisions.body, outcomes.agent, outcomes.arm, outcomes.model, outcomes.ended_at, outcomes.wall_time_ms,
  outcomes.cost_usd, outcomes.succeeded, outcomes.censored, outcomes.tokens
FROM decisions LEFT JOIN outcomes ON outcomes.decision_id = decisions.id AND outcomes.ended = 1
WHERE decisions.at >= ? ORDER BY decisions.at, decisions.id;

-- name: outcomes_learnt
SELECT kind, learnt, features FROM outcomes WHERE learnt IS NOT NULL ORDER BY ended_at, id;

-- name: ended_in_all
SELECT coalesce(sum(executor = 'delegate'), 0), coalesce(sum(executor = 'local'), 0),
  coalesce(sum(wall_time_ms), 0) / 3600000.0, coalesce(sum(cost_usd), 0.0),
  coalesce(sum(succeeded IS NULL AND censored IS NULL), 0), coalesce(sum(censored IS NOT NULL), 0),
  coalesce(sum(CASE WHEN succeeded IS NOT NULL AND censored IS NULL THEN weight END), 0.0)
FROM outcomes WHERE ended = 1 AND ended_at >= ?;

-- name: decided_in_all
SELECT count(*), coalesce(sum(explored), 0) FROM decisions WHERE at >= ?;
