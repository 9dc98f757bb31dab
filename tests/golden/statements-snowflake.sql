-- requests of a window
SELECT counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment, CAST(sum(counted.lines) AS BIGINT) AS lines, CAST(sum(counted.requests) AS BIGINT) AS request_count, CAST(sum(counted.errors) AS BIGINT) AS error_count, max(counted.used_at) AS last_used, min(counted.detail) AS least, max(counted.detail) AS most
FROM (SELECT dated.on_day AS on_day, dated.problem AS problem, dated.warning AS warning, dated.lines AS lines, dated.requests AS requests, dated.errors AS errors, dated.used_at AS used_at,
CASE WHEN (dated.problem IS NULL) THEN dated.key_id END AS key_id,
CASE WHEN (dated.problem IS NULL) THEN dated.endpoint END AS endpoint,
CASE WHEN (dated.problem IS NULL) THEN dated.deployment END AS deployment,
CASE WHEN (dated.problem IS NOT NULL OR dated.warning IS NOT NULL) THEN dated.detail END AS detail
FROM (SELECT usage_rows.key_id AS key_id, usage_rows.endpoint AS endpoint, usage_rows.deployment AS deployment, usage_rows.client AS client, usage_rows.event_id AS event_id,
CASE WHEN (NOT (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s))) THEN usage_rows.used_at END AS used_at, usage_rows.day AS day, usage_rows.written AS written, usage_rows.lines AS lines, usage_rows.requests AS requests, usage_rows.errors AS errors,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_3)s AND usage_rows.used_at < %(param_4)s)) THEN %(param_5)s ELSE usage_rows.problem END AS problem,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_6)s AND usage_rows.used_at < %(param_7)s)) THEN CAST(NULL AS VARCHAR) ELSE usage_rows.warning END AS warning,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_8)s AND usage_rows.used_at < %(param_9)s)) THEN %(param_10)s || coalesce(usage_rows.written, %(coalesce_1)s) || %(param_11)s || coalesce(usage_rows.key_id, %(coalesce_2)s) ELSE usage_rows.detail END AS detail,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_12)s AND usage_rows.used_at < %(param_13)s)) THEN -1 ELSE
CASE WHEN (usage_rows.used_at < %(param_14)s) THEN 0 ELSE
CASE WHEN (usage_rows.used_at < %(param_15)s) THEN 1 ELSE 2 END END END AS on_day
FROM (SELECT nullif(trim(grouped.key_id), %(nullif_1)s) AS key_id, nullif(trim(grouped.endpoint), %(nullif_2)s) AS endpoint, nullif(trim(grouped.deployment), %(nullif_3)s) AS deployment, nullif(trim(grouped.client), %(nullif_4)s) AS client, CAST(NULL AS VARCHAR) AS event_id, grouped.timestamp AS used_at, CAST(NULL AS VARCHAR) AS day, nullif(trim(CAST(grouped.timestamp AS VARCHAR)), %(nullif_5)s) AS written, grouped.lines AS lines, grouped.lines AS requests,
CASE WHEN (grouped.status BETWEEN %(status_1)s AND %(status_2)s) THEN grouped.lines ELSE %(param_16)s END AS errors,
CASE WHEN (nullif(trim(grouped.key_id), %(nullif_6)s) IS NULL) THEN %(param_17)s END AS problem,
CASE WHEN false THEN %(param_18)s END AS warning,
CASE WHEN false THEN %(param_19)s || %(param_20)s || coalesce(nullif(trim(CAST(grouped.status AS VARCHAR)), %(nullif_7)s), %(coalesce_3)s) ELSE coalesce(nullif(trim(grouped.endpoint), %(nullif_8)s), %(coalesce_4)s) END AS detail
FROM (SELECT requests.key_id AS key_id, requests.endpoint AS endpoint, requests.deployment AS deployment, requests.client AS client, requests.status AS status, max(requests.used_at) AS timestamp, count(*) AS lines
FROM (SELECT logs.events."api key" AS key_id, logs.events.path AS endpoint, logs.events.host AS deployment, logs.events.ip AS client, logs.events.status AS status, logs.events.ts AS used_at,
CASE WHEN (logs.events.ts IS NULL OR NOT (logs.events.ts >= %(param_21)s AND logs.events.ts < %(param_22)s)) THEN -1 ELSE
CASE WHEN (logs.events.ts < %(param_23)s) THEN 0 ELSE
CASE WHEN (logs.events.ts < %(param_24)s) THEN 1 ELSE 2 END END END AS on_day
FROM logs.events
WHERE logs.events.ts IS NULL OR NOT (logs.events.ts >= %(param_21)s AND logs.events.ts < %(param_22)s) OR logs.events.ts >= %(param_25)s AND logs.events.ts < %(param_26)s) AS requests
GROUP BY requests.on_day, requests.key_id, requests.endpoint, requests.deployment, requests.client, requests.status) AS grouped ) AS usage_rows
WHERE usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_27)s AND usage_rows.used_at < %(param_28)s) OR usage_rows.used_at >= %(param_29)s AND usage_rows.used_at < %(param_30)s) AS dated) AS counted
GROUP BY counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment
ORDER BY counted.on_day
-- coalesce_1 = 'is empty'
-- coalesce_2 = 'unknown'
-- coalesce_3 = ''
-- coalesce_4 = ''
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_10 = 'timestamp '
-- param_11 = ', key '
-- param_12 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_13 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_14 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_15 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_16 = 0
-- param_17 = 'no key id: not attributable to a key'
-- param_18 = 'status is not a number, taken as no error'
-- param_19 = ''
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_20 = ' status '
-- param_21 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_22 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_23 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_24 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_25 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_26 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- param_27 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_28 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_29 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_30 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_5 = 'missing or unreadable timestamp'
-- param_6 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_8 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_9 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 9999

-- clients of a window
SELECT dated.on_day, dated.key_id, count(DISTINCT dated.client) AS client_count
FROM (SELECT usage_rows.key_id AS key_id, usage_rows.endpoint AS endpoint, usage_rows.deployment AS deployment, usage_rows.client AS client, usage_rows.event_id AS event_id,
CASE WHEN (NOT (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s))) THEN usage_rows.used_at END AS used_at, usage_rows.day AS day, usage_rows.written AS written, usage_rows.lines AS lines, usage_rows.requests AS requests, usage_rows.errors AS errors,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_3)s AND usage_rows.used_at < %(param_4)s)) THEN %(param_5)s ELSE usage_rows.problem END AS problem,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_6)s AND usage_rows.used_at < %(param_7)s)) THEN CAST(NULL AS VARCHAR) ELSE usage_rows.warning END AS warning,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_8)s AND usage_rows.used_at < %(param_9)s)) THEN %(param_10)s || coalesce(usage_rows.written, %(coalesce_1)s) || %(param_11)s || coalesce(usage_rows.key_id, %(coalesce_2)s) ELSE usage_rows.detail END AS detail,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_12)s AND usage_rows.used_at < %(param_13)s)) THEN -1 ELSE
CASE WHEN (usage_rows.used_at < %(param_14)s) THEN 0 ELSE
CASE WHEN (usage_rows.used_at < %(param_15)s) THEN 1 ELSE 2 END END END AS on_day
FROM (SELECT nullif(trim(grouped.key_id), %(nullif_1)s) AS key_id, nullif(trim(grouped.endpoint), %(nullif_2)s) AS endpoint, nullif(trim(grouped.deployment), %(nullif_3)s) AS deployment, nullif(trim(grouped.client), %(nullif_4)s) AS client, CAST(NULL AS VARCHAR) AS event_id, grouped.timestamp AS used_at, CAST(NULL AS VARCHAR) AS day, nullif(trim(CAST(grouped.timestamp AS VARCHAR)), %(nullif_5)s) AS written, grouped.lines AS lines, grouped.lines AS requests,
CASE WHEN (grouped.status BETWEEN %(status_1)s AND %(status_2)s) THEN grouped.lines ELSE %(param_16)s END AS errors,
CASE WHEN (nullif(trim(grouped.key_id), %(nullif_6)s) IS NULL) THEN %(param_17)s END AS problem,
CASE WHEN false THEN %(param_18)s END AS warning,
CASE WHEN false THEN %(param_19)s || %(param_20)s || coalesce(nullif(trim(CAST(grouped.status AS VARCHAR)), %(nullif_7)s), %(coalesce_3)s) ELSE coalesce(nullif(trim(grouped.endpoint), %(nullif_8)s), %(coalesce_4)s) END AS detail
FROM (SELECT requests.key_id AS key_id, requests.endpoint AS endpoint, requests.deployment AS deployment, requests.client AS client, requests.status AS status, max(requests.used_at) AS timestamp, count(*) AS lines
FROM (SELECT logs.events."api key" AS key_id, logs.events.path AS endpoint, logs.events.host AS deployment, logs.events.ip AS client, logs.events.status AS status, logs.events.ts AS used_at,
CASE WHEN (logs.events.ts IS NULL OR NOT (logs.events.ts >= %(param_21)s AND logs.events.ts < %(param_22)s)) THEN -1 ELSE
CASE WHEN (logs.events.ts < %(param_23)s) THEN 0 ELSE
CASE WHEN (logs.events.ts < %(param_24)s) THEN 1 ELSE 2 END END END AS on_day
FROM logs.events
WHERE logs.events.ts IS NULL OR NOT (logs.events.ts >= %(param_21)s AND logs.events.ts < %(param_22)s) OR logs.events.ts >= %(param_25)s AND logs.events.ts < %(param_26)s) AS requests
GROUP BY requests.on_day, requests.key_id, requests.endpoint, requests.deployment, requests.client, requests.status) AS grouped ) AS usage_rows
WHERE usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_27)s AND usage_rows.used_at < %(param_28)s) OR usage_rows.used_at >= %(param_29)s AND usage_rows.used_at < %(param_30)s) AS dated
WHERE dated.problem IS NULL AND dated.client IS NOT NULL
GROUP BY dated.on_day, dated.key_id
ORDER BY dated.on_day
-- coalesce_1 = 'is empty'
-- coalesce_2 = 'unknown'
-- coalesce_3 = ''
-- coalesce_4 = ''
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_10 = 'timestamp '
-- param_11 = ', key '
-- param_12 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_13 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_14 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_15 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_16 = 0
-- param_17 = 'no key id: not attributable to a key'
-- param_18 = 'status is not a number, taken as no error'
-- param_19 = ''
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_20 = ' status '
-- param_21 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_22 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_23 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_24 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_25 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_26 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- param_27 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_28 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_29 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_30 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_5 = 'missing or unreadable timestamp'
-- param_6 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_8 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_9 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 9999

-- requests that carry ids
SELECT counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment, CAST(sum(counted.lines) AS BIGINT) AS lines, CAST(sum(counted.requests) AS BIGINT) AS request_count, CAST(sum(counted.errors) AS BIGINT) AS error_count, max(counted.used_at) AS last_used, min(counted.detail) AS least, max(counted.detail) AS most
FROM (SELECT dated.on_day AS on_day, dated.problem AS problem, dated.warning AS warning, dated.lines AS lines, dated.requests AS requests, dated.errors AS errors, dated.used_at AS used_at,
CASE WHEN (dated.problem IS NULL) THEN dated.key_id END AS key_id,
CASE WHEN (dated.problem IS NULL) THEN dated.endpoint END AS endpoint,
CASE WHEN (dated.problem IS NULL) THEN dated.deployment END AS deployment,
CASE WHEN (dated.problem IS NOT NULL OR dated.warning IS NOT NULL) THEN dated.detail END AS detail
FROM (SELECT copies.key_id AS key_id, copies.endpoint AS endpoint, copies.deployment AS deployment, copies.client AS client, copies.event_id AS event_id, copies.used_at AS used_at, copies.day AS day, copies.written AS written, copies.lines AS lines, copies.requests AS requests, copies.errors AS errors, copies.problem AS problem, copies.warning AS warning, copies.detail AS detail, copies.on_day AS on_day, copies."copy" AS "copy"
FROM (SELECT usage_rows.key_id AS key_id, usage_rows.endpoint AS endpoint, usage_rows.deployment AS deployment, usage_rows.client AS client, usage_rows.event_id AS event_id,
CASE WHEN (NOT (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s))) THEN usage_rows.used_at END AS used_at, usage_rows.day AS day, usage_rows.written AS written, usage_rows.lines AS lines, usage_rows.requests AS requests, usage_rows.errors AS errors,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_3)s AND usage_rows.used_at < %(param_4)s)) THEN %(param_5)s ELSE usage_rows.problem END AS problem,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_6)s AND usage_rows.used_at < %(param_7)s)) THEN CAST(NULL AS VARCHAR) ELSE usage_rows.warning END AS warning,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_8)s AND usage_rows.used_at < %(param_9)s)) THEN %(param_10)s || coalesce(usage_rows.written, %(coalesce_1)s) || %(param_11)s || coalesce(usage_rows.key_id, %(coalesce_2)s) ELSE usage_rows.detail END AS detail,
CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_12)s AND usage_rows.used_at < %(param_13)s)) THEN -1 ELSE
CASE WHEN (usage_rows.used_at < %(param_14)s) THEN 0 ELSE
CASE WHEN (usage_rows.used_at < %(param_15)s) THEN 1 ELSE 2 END END END AS on_day, row_number() OVER (PARTITION BY usage_rows.event_id
ORDER BY
CASE WHEN (CASE WHEN (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_3)s AND usage_rows.used_at < %(param_4)s)) THEN %(param_5)s ELSE usage_rows.problem END IS NULL) THEN %(param_16)s ELSE %(param_17)s END,
CASE WHEN (NOT (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s))) THEN usage_rows.used_at END, usage_rows.key_id, usage_rows.endpoint, usage_rows.deployment) AS "copy"
FROM (SELECT nullif(trim(logs.events."api key"), %(nullif_1)s) AS key_id, nullif(trim(logs.events.path), %(nullif_2)s) AS endpoint, nullif(trim(logs.events.host), %(nullif_3)s) AS deployment, nullif(trim(logs.events.ip), %(nullif_4)s) AS client, nullif(trim(logs.events.id), %(nullif_5)s) AS event_id, logs.events.ts AS used_at, CAST(NULL AS VARCHAR) AS day, nullif(trim(CAST(logs.events.ts AS VARCHAR)), %(nullif_6)s) AS written, 1 AS lines, 1 AS requests,
CASE WHEN (logs.events.status BETWEEN %(status_1)s AND %(status_2)s) THEN 1 ELSE %(param_18)s END AS errors,
CASE WHEN (nullif(trim(logs.events."api key"), %(nullif_7)s) IS NULL) THEN %(param_19)s END AS problem,
CASE WHEN false THEN %(param_20)s END AS warning,
CASE WHEN false THEN %(param_21)s || %(param_22)s || coalesce(nullif(trim(CAST(logs.events.status AS VARCHAR)), %(nullif_8)s), %(coalesce_3)s) ELSE coalesce(nullif(trim(logs.events.path), %(nullif_9)s), %(coalesce_4)s) END AS detail
FROM logs.events ) AS usage_rows
WHERE usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_23)s AND usage_rows.used_at < %(param_24)s) OR usage_rows.used_at >= %(param_25)s AND usage_rows.used_at < %(param_26)s) AS copies
WHERE copies.event_id IS NULL OR copies."copy" = %(copy_1)s) AS dated) AS counted
GROUP BY counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment
ORDER BY counted.on_day
-- coalesce_1 = 'is empty'
-- coalesce_2 = 'unknown'
-- coalesce_3 = ''
-- coalesce_4 = ''
-- copy_1 = 1
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- nullif_9 = ''
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_10 = 'timestamp '
-- param_11 = ', key '
-- param_12 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_13 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_14 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_15 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_16 = 0
-- param_17 = 1
-- param_18 = 0
-- param_19 = 'no key id: not attributable to a key'
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_20 = 'status is not a number, taken as no error'
-- param_21 = ''
-- param_22 = ' status '
-- param_23 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_24 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_25 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_26 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_5 = 'missing or unreadable timestamp'
-- param_6 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_8 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_9 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 9999

-- latest request
SELECT max(usage_rows.day) AS max_1, max(usage_rows.used_at) AS max_2
FROM (SELECT nullif(trim(logs.events."api key"), %(nullif_1)s) AS key_id, nullif(trim(logs.events.path), %(nullif_2)s) AS endpoint, nullif(trim(logs.events.host), %(nullif_3)s) AS deployment, nullif(trim(logs.events.ip), %(nullif_4)s) AS client, CAST(NULL AS VARCHAR) AS event_id, logs.events.ts AS used_at, CAST(NULL AS VARCHAR) AS day, nullif(trim(CAST(logs.events.ts AS VARCHAR)), %(nullif_5)s) AS written, 1 AS lines, 1 AS requests,
CASE WHEN (logs.events.status BETWEEN %(status_1)s AND %(status_2)s) THEN 1 ELSE %(param_1)s END AS errors,
CASE WHEN (nullif(trim(logs.events."api key"), %(nullif_6)s) IS NULL) THEN %(param_2)s END AS problem,
CASE WHEN false THEN %(param_3)s END AS warning,
CASE WHEN false THEN %(param_4)s || %(param_5)s || coalesce(nullif(trim(CAST(logs.events.status AS VARCHAR)), %(nullif_7)s), %(coalesce_1)s) ELSE coalesce(nullif(trim(logs.events.path), %(nullif_8)s), %(coalesce_2)s) END AS detail
FROM logs.events ) AS usage_rows
WHERE usage_rows.problem IS NULL AND NOT (usage_rows.used_at IS NULL OR NOT (usage_rows.used_at >= %(param_6)s AND usage_rows.used_at < %(param_7)s))
-- coalesce_1 = ''
-- coalesce_2 = ''
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- param_1 = 0
-- param_2 = 'no key id: not attributable to a key'
-- param_3 = 'status is not a number, taken as no error'
-- param_4 = ''
-- param_5 = ' status '
-- param_6 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 9999

-- use before a day
SELECT usage_rows.key_id, min(CASE WHEN (usage_rows.requests > %(requests_1)s) THEN usage_rows.day END) AS min_1, max(CASE WHEN (usage_rows.requests > %(requests_1)s) THEN usage_rows.day END) AS max_1, min(CASE WHEN (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s AND usage_rows.used_at < %(param_3)s) THEN usage_rows.used_at END) AS min_2, max(CASE WHEN (usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s AND usage_rows.used_at < %(param_3)s) THEN usage_rows.used_at END) AS max_2
FROM (SELECT nullif(trim(logs.events."api key"), %(nullif_1)s) AS key_id, nullif(trim(logs.events.path), %(nullif_2)s) AS endpoint, nullif(trim(logs.events.host), %(nullif_3)s) AS deployment, nullif(trim(logs.events.ip), %(nullif_4)s) AS client, CAST(NULL AS VARCHAR) AS event_id, logs.events.ts AS used_at, CAST(NULL AS VARCHAR) AS day, nullif(trim(CAST(logs.events.ts AS VARCHAR)), %(nullif_5)s) AS written, 1 AS lines, 1 AS requests,
CASE WHEN (logs.events.status BETWEEN %(status_1)s AND %(status_2)s) THEN 1 ELSE %(param_4)s END AS errors,
CASE WHEN (nullif(trim(logs.events."api key"), %(nullif_6)s) IS NULL) THEN %(param_5)s END AS problem,
CASE WHEN false THEN %(param_6)s END AS warning,
CASE WHEN false THEN %(param_7)s || %(param_8)s || coalesce(nullif(trim(CAST(logs.events.status AS VARCHAR)), %(nullif_7)s), %(coalesce_1)s) ELSE coalesce(nullif(trim(logs.events.path), %(nullif_8)s), %(coalesce_2)s) END AS detail
FROM logs.events ) AS usage_rows
WHERE usage_rows.problem IS NULL AND usage_rows.used_at >= %(param_1)s AND usage_rows.used_at < %(param_2)s AND usage_rows.used_at < %(param_3)s
GROUP BY usage_rows.key_id
-- coalesce_1 = ''
-- coalesce_2 = ''
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_4 = 0
-- param_5 = 'no key id: not attributable to a key'
-- param_6 = 'status is not a number, taken as no error'
-- param_7 = ''
-- param_8 = ' status '
-- requests_1 = 0
-- status_1 = 400
-- status_2 = 9999

-- rollup of a window
SELECT counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment, CAST(sum(counted.lines) AS BIGINT) AS lines, CAST(sum(counted.requests) AS BIGINT) AS request_count, CAST(sum(counted.errors) AS BIGINT) AS error_count, max(counted.used_at) AS last_used, min(counted.detail) AS least, max(counted.detail) AS most
FROM (SELECT dated.on_day AS on_day, dated.problem AS problem, dated.warning AS warning, dated.lines AS lines, dated.requests AS requests, dated.errors AS errors, dated.used_at AS used_at,
CASE WHEN (dated.problem IS NULL) THEN dated.key_id END AS key_id,
CASE WHEN (dated.problem IS NULL) THEN dated.endpoint END AS endpoint,
CASE WHEN (dated.problem IS NULL) THEN dated.deployment END AS deployment,
CASE WHEN (dated.problem IS NOT NULL OR dated.warning IS NOT NULL) THEN dated.detail END AS detail
FROM (SELECT usage_rows.key_id AS key_id, usage_rows.endpoint AS endpoint, usage_rows.deployment AS deployment, usage_rows.client AS client, usage_rows.event_id AS event_id,
CASE WHEN (usage_rows.day IS NOT NULL) THEN usage_rows.used_at END AS used_at, usage_rows.day AS day, usage_rows.written AS written, usage_rows.lines AS lines, usage_rows.requests AS requests, usage_rows.errors AS errors,
CASE WHEN (usage_rows.day IS NULL) THEN %(param_1)s ELSE usage_rows.problem END AS problem,
CASE WHEN (usage_rows.day IS NULL) THEN CAST(NULL AS VARCHAR) ELSE usage_rows.warning END AS warning,
CASE WHEN (usage_rows.day IS NULL) THEN %(param_2)s || coalesce(usage_rows.written, %(coalesce_1)s) || %(param_3)s || coalesce(usage_rows.key_id, %(coalesce_2)s) ELSE usage_rows.detail END AS detail,
CASE WHEN (usage_rows.day IS NULL) THEN %(param_4)s ELSE usage_rows.day END AS on_day
FROM (SELECT nullif(trim(daily.key_id), %(nullif_1)s) AS key_id, nullif(trim(daily.endpoint), %(nullif_2)s) AS endpoint, coalesce(nullif(trim(daily.deployment), %(nullif_3)s), %(coalesce_3)s) AS deployment, CAST(NULL AS VARCHAR) AS client, CAST(NULL AS VARCHAR) AS event_id, CAST(NULL AS VARCHAR) AS used_at, daily.day AS day, nullif(trim(CAST(daily.day AS VARCHAR)), %(nullif_4)s) AS written, 1 AS lines,
CASE WHEN (daily.request_count BETWEEN %(request_count_1)s AND %(param_5)s) THEN CAST(daily.request_count AS BIGINT) ELSE NULL END AS requests,
CASE WHEN (CASE WHEN (daily.error_count BETWEEN %(error_count_1)s AND %(param_6)s) THEN CAST(daily.error_count AS BIGINT) ELSE NULL END >
CASE WHEN (daily.request_count BETWEEN %(request_count_1)s AND %(param_5)s) THEN CAST(daily.request_count AS BIGINT) ELSE NULL END) THEN
CASE WHEN (daily.request_count BETWEEN %(request_count_1)s AND %(param_5)s) THEN CAST(daily.request_count AS BIGINT) ELSE NULL END ELSE coalesce(CASE WHEN (daily.error_count BETWEEN %(error_count_1)s AND %(param_6)s) THEN CAST(daily.error_count AS BIGINT) ELSE NULL END, %(coalesce_4)s) END AS errors,
CASE WHEN (nullif(trim(daily.key_id), %(nullif_5)s) IS NULL) THEN %(param_7)s WHEN (CASE WHEN (daily.request_count BETWEEN %(request_count_1)s AND %(param_5)s) THEN CAST(daily.request_count AS BIGINT) ELSE NULL END IS NULL) THEN %(param_8)s END AS problem,
CASE WHEN (CASE WHEN (daily.error_count BETWEEN %(error_count_1)s AND %(param_6)s) THEN CAST(daily.error_count AS BIGINT) ELSE NULL END IS NULL AND daily.error_count IS NOT NULL) THEN %(param_9)s WHEN (CASE WHEN (daily.error_count BETWEEN %(error_count_1)s AND %(param_6)s) THEN CAST(daily.error_count AS BIGINT) ELSE NULL END >
CASE WHEN (daily.request_count BETWEEN %(request_count_1)s AND %(param_5)s) THEN CAST(daily.request_count AS BIGINT) ELSE NULL END) THEN %(param_10)s END AS warning, %(param_11)s || %(param_12)s || coalesce(nullif(trim(daily.key_id), %(nullif_6)s), %(coalesce_5)s) || %(param_13)s || coalesce(nullif(trim(CAST(daily.request_count AS VARCHAR)), %(nullif_7)s), %(coalesce_6)s) || %(param_14)s || coalesce(nullif(trim(CAST(daily.error_count AS VARCHAR)), %(nullif_8)s), %(coalesce_7)s) AS detail
FROM daily ) AS usage_rows
WHERE usage_rows.day IS NULL OR usage_rows.day BETWEEN %(param_15)s AND %(param_16)s) AS dated) AS counted
GROUP BY counted.on_day, counted.problem, counted.warning, counted.key_id, counted.endpoint, counted.deployment
ORDER BY counted.on_day
-- coalesce_1 = 'is empty'
-- coalesce_2 = 'unknown'
-- coalesce_3 = 'production'
-- coalesce_4 = 0
-- coalesce_5 = ''
-- coalesce_6 = ''
-- coalesce_7 = ''
-- error_count_1 = 0
-- nullif_1 = ''
-- nullif_2 = ''
-- nullif_3 = ''
-- nullif_4 = ''
-- nullif_5 = ''
-- nullif_6 = ''
-- nullif_7 = ''
-- nullif_8 = ''
-- param_1 = 'missing or unreadable day'
-- param_10 = 'error_count above request_count, taken as request_count'
-- param_11 = ''
-- param_12 = ' key_id '
-- param_13 = ' request_count '
-- param_14 = ' error_count '
-- param_15 = datetime.date(2026, 3, 28)
-- param_16 = datetime.date(2026, 3, 30)
-- param_2 = 'day '
-- param_3 = ', key '
-- param_4 = datetime.date(1970, 1, 1)
-- param_5 = 1000000000000
-- param_6 = 1000000000000
-- param_7 = 'no key id: not attributable to a key'
-- param_8 = 'request_count is not a count'
-- param_9 = 'error_count is not a count, taken as 0'
-- request_count_1 = 0
