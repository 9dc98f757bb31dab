-- requests of a window
SELECT `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`, CAST(sum(`counted`.`lines`) AS INT64) AS `lines`, CAST(sum(`counted`.`requests`) AS INT64) AS `request_count`, CAST(sum(`counted`.`errors`) AS INT64) AS `error_count`, max(`counted`.`used_at`) AS `last_used`, min(`counted`.`detail`) AS `least`, max(`counted`.`detail`) AS `most`
FROM (SELECT `dated`.`on_day` AS `on_day`, `dated`.`problem` AS `problem`, `dated`.`warning` AS `warning`, `dated`.`lines` AS `lines`, `dated`.`requests` AS `requests`, `dated`.`errors` AS `errors`, `dated`.`used_at` AS `used_at`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`key_id` END AS `key_id`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`endpoint` END AS `endpoint`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`deployment` END AS `deployment`,
CASE WHEN (`dated`.`problem` IS NOT NULL OR `dated`.`warning` IS NOT NULL) THEN `dated`.`detail` END AS `detail`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`client` AS `client`, `usage_rows`.`event_id` AS `event_id`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END AS `used_at`, `usage_rows`.`day` AS `day`, `usage_rows`.`written` AS `written`, `usage_rows`.`lines` AS `lines`, `usage_rows`.`requests` AS `requests`, `usage_rows`.`errors` AS `errors`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_3 AND `usage_rows`.`used_at` < :param_4)) THEN :param_5 ELSE `usage_rows`.`problem` END AS `problem`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7)) THEN CAST(NULL AS STRING) ELSE `usage_rows`.`warning` END AS `warning`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_8 AND `usage_rows`.`used_at` < :param_9)) THEN :param_10 || coalesce(`usage_rows`.`written`, :coalesce_1) || :param_11 || coalesce(`usage_rows`.`key_id`, :coalesce_2) ELSE `usage_rows`.`detail` END AS `detail`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_12 AND `usage_rows`.`used_at` < :param_13)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_14) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_15) THEN 1 ELSE 2 END END END AS `on_day`
FROM (SELECT nullif(trim(`grouped`.`key_id`), :nullif_1) AS `key_id`, nullif(trim(`grouped`.`endpoint`), :nullif_2) AS `endpoint`, nullif(trim(`grouped`.`deployment`), :nullif_3) AS `deployment`, nullif(trim(`grouped`.`client`), :nullif_4) AS `client`, CAST(NULL AS STRING) AS `event_id`, `grouped`.`timestamp` AS `used_at`, CAST(NULL AS STRING) AS `day`, nullif(trim(CAST(`grouped`.`timestamp` AS STRING)), :nullif_5) AS `written`, `grouped`.`lines` AS `lines`, `grouped`.`lines` AS `requests`,
CASE WHEN (`grouped`.`status` BETWEEN :status_1 AND :status_2) THEN `grouped`.`lines` ELSE :param_16 END AS `errors`,
CASE WHEN (nullif(trim(`grouped`.`key_id`), :nullif_6) IS NULL) THEN :param_17 END AS `problem`,
CASE WHEN false THEN :param_18 END AS `warning`,
CASE WHEN false THEN :param_19 || :param_20 || coalesce(nullif(trim(CAST(`grouped`.`status` AS STRING)), :nullif_7), :coalesce_3) ELSE coalesce(nullif(trim(`grouped`.`endpoint`), :nullif_8), :coalesce_4) END AS `detail`
FROM (SELECT `requests`.`key_id` AS `key_id`, `requests`.`endpoint` AS `endpoint`, `requests`.`deployment` AS `deployment`, `requests`.`client` AS `client`, `requests`.`status` AS `status`, max(`requests`.`used_at`) AS `timestamp`, count(*) AS `lines`
FROM (SELECT `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`, `events`.`status` AS `status`, `events`.`ts` AS `used_at`,
CASE WHEN (`events`.`ts` IS NULL OR NOT (`events`.`ts` >= :param_21 AND `events`.`ts` < :param_22)) THEN -1 ELSE
CASE WHEN (`events`.`ts` < :param_23) THEN 0 ELSE
CASE WHEN (`events`.`ts` < :param_24) THEN 1 ELSE 2 END END END AS `on_day`
FROM `logs`.`events`
WHERE `events`.`ts` IS NULL OR NOT (`events`.`ts` >= :param_21 AND `events`.`ts` < :param_22) OR `events`.`ts` >= :param_25 AND `events`.`ts` < :param_26) AS `requests`
GROUP BY `requests`.`on_day`, `requests`.`key_id`, `requests`.`endpoint`, `requests`.`deployment`, `requests`.`client`, `requests`.`status`) AS `grouped` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_27 AND `usage_rows`.`used_at` < :param_28) OR `usage_rows`.`used_at` >= :param_29 AND `usage_rows`.`used_at` < :param_30) AS `dated`) AS `counted`
GROUP BY `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`
ORDER BY `counted`.`on_day`
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
SELECT `dated`.`on_day`, `dated`.`key_id`, count(DISTINCT `dated`.`client`) AS `client_count`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`client` AS `client`, `usage_rows`.`event_id` AS `event_id`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END AS `used_at`, `usage_rows`.`day` AS `day`, `usage_rows`.`written` AS `written`, `usage_rows`.`lines` AS `lines`, `usage_rows`.`requests` AS `requests`, `usage_rows`.`errors` AS `errors`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_3 AND `usage_rows`.`used_at` < :param_4)) THEN :param_5 ELSE `usage_rows`.`problem` END AS `problem`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7)) THEN CAST(NULL AS STRING) ELSE `usage_rows`.`warning` END AS `warning`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_8 AND `usage_rows`.`used_at` < :param_9)) THEN :param_10 || coalesce(`usage_rows`.`written`, :coalesce_1) || :param_11 || coalesce(`usage_rows`.`key_id`, :coalesce_2) ELSE `usage_rows`.`detail` END AS `detail`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_12 AND `usage_rows`.`used_at` < :param_13)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_14) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_15) THEN 1 ELSE 2 END END END AS `on_day`
FROM (SELECT nullif(trim(`grouped`.`key_id`), :nullif_1) AS `key_id`, nullif(trim(`grouped`.`endpoint`), :nullif_2) AS `endpoint`, nullif(trim(`grouped`.`deployment`), :nullif_3) AS `deployment`, nullif(trim(`grouped`.`client`), :nullif_4) AS `client`, CAST(NULL AS STRING) AS `event_id`, `grouped`.`timestamp` AS `used_at`, CAST(NULL AS STRING) AS `day`, nullif(trim(CAST(`grouped`.`timestamp` AS STRING)), :nullif_5) AS `written`, `grouped`.`lines` AS `lines`, `grouped`.`lines` AS `requests`,
CASE WHEN (`grouped`.`status` BETWEEN :status_1 AND :status_2) THEN `grouped`.`lines` ELSE :param_16 END AS `errors`,
CASE WHEN (nullif(trim(`grouped`.`key_id`), :nullif_6) IS NULL) THEN :param_17 END AS `problem`,
CASE WHEN false THEN :param_18 END AS `warning`,
CASE WHEN false THEN :param_19 || :param_20 || coalesce(nullif(trim(CAST(`grouped`.`status` AS STRING)), :nullif_7), :coalesce_3) ELSE coalesce(nullif(trim(`grouped`.`endpoint`), :nullif_8), :coalesce_4) END AS `detail`
FROM (SELECT `requests`.`key_id` AS `key_id`, `requests`.`endpoint` AS `endpoint`, `requests`.`deployment` AS `deployment`, `requests`.`client` AS `client`, `requests`.`status` AS `status`, max(`requests`.`used_at`) AS `timestamp`, count(*) AS `lines`
FROM (SELECT `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`, `events`.`status` AS `status`, `events`.`ts` AS `used_at`,
CASE WHEN (`events`.`ts` IS NULL OR NOT (`events`.`ts` >= :param_21 AND `events`.`ts` < :param_22)) THEN -1 ELSE
CASE WHEN (`events`.`ts` < :param_23) THEN 0 ELSE
CASE WHEN (`events`.`ts` < :param_24) THEN 1 ELSE 2 END END END AS `on_day`
FROM `logs`.`events`
WHERE `events`.`ts` IS NULL OR NOT (`events`.`ts` >= :param_21 AND `events`.`ts` < :param_22) OR `events`.`ts` >= :param_25 AND `events`.`ts` < :param_26) AS `requests`
GROUP BY `requests`.`on_day`, `requests`.`key_id`, `requests`.`endpoint`, `requests`.`deployment`, `requests`.`client`, `requests`.`status`) AS `grouped` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_27 AND `usage_rows`.`used_at` < :param_28) OR `usage_rows`.`used_at` >= :param_29 AND `usage_rows`.`used_at` < :param_30) AS `dated`
WHERE `dated`.`problem` IS NULL AND `dated`.`client` IS NOT NULL
GROUP BY `dated`.`on_day`, `dated`.`key_id`
ORDER BY `dated`.`on_day`
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
SELECT `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`, CAST(sum(`counted`.`lines`) AS INT64) AS `lines`, CAST(sum(`counted`.`requests`) AS INT64) AS `request_count`, CAST(sum(`counted`.`errors`) AS INT64) AS `error_count`, max(`counted`.`used_at`) AS `last_used`, min(`counted`.`detail`) AS `least`, max(`counted`.`detail`) AS `most`
FROM (SELECT `dated`.`on_day` AS `on_day`, `dated`.`problem` AS `problem`, `dated`.`warning` AS `warning`, `dated`.`lines` AS `lines`, `dated`.`requests` AS `requests`, `dated`.`errors` AS `errors`, `dated`.`used_at` AS `used_at`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`key_id` END AS `key_id`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`endpoint` END AS `endpoint`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`deployment` END AS `deployment`,
CASE WHEN (`dated`.`problem` IS NOT NULL OR `dated`.`warning` IS NOT NULL) THEN `dated`.`detail` END AS `detail`
FROM (SELECT `copies`.`key_id` AS `key_id`, `copies`.`endpoint` AS `endpoint`, `copies`.`deployment` AS `deployment`, `copies`.`client` AS `client`, `copies`.`event_id` AS `event_id`, `copies`.`used_at` AS `used_at`, `copies`.`day` AS `day`, `copies`.`written` AS `written`, `copies`.`lines` AS `lines`, `copies`.`requests` AS `requests`, `copies`.`errors` AS `errors`, `copies`.`problem` AS `problem`, `copies`.`warning` AS `warning`, `copies`.`detail` AS `detail`, `copies`.`on_day` AS `on_day`, `copies`.`copy` AS `copy`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`client` AS `client`, `usage_rows`.`event_id` AS `event_id`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END AS `used_at`, `usage_rows`.`day` AS `day`, `usage_rows`.`written` AS `written`, `usage_rows`.`lines` AS `lines`, `usage_rows`.`requests` AS `requests`, `usage_rows`.`errors` AS `errors`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_3 AND `usage_rows`.`used_at` < :param_4)) THEN :param_5 ELSE `usage_rows`.`problem` END AS `problem`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7)) THEN CAST(NULL AS STRING) ELSE `usage_rows`.`warning` END AS `warning`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_8 AND `usage_rows`.`used_at` < :param_9)) THEN :param_10 || coalesce(`usage_rows`.`written`, :coalesce_1) || :param_11 || coalesce(`usage_rows`.`key_id`, :coalesce_2) ELSE `usage_rows`.`detail` END AS `detail`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_12 AND `usage_rows`.`used_at` < :param_13)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_14) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_15) THEN 1 ELSE 2 END END END AS `on_day`, row_number() OVER (PARTITION BY `usage_rows`.`event_id`
ORDER BY
CASE WHEN (CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_3 AND `usage_rows`.`used_at` < :param_4)) THEN :param_5 ELSE `usage_rows`.`problem` END IS NULL) THEN :param_16 ELSE :param_17 END,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END, `usage_rows`.`key_id`, `usage_rows`.`endpoint`, `usage_rows`.`deployment`) AS `copy`
FROM (SELECT nullif(trim(`events`.`api key`), :nullif_1) AS `key_id`, nullif(trim(`events`.`path`), :nullif_2) AS `endpoint`, nullif(trim(`events`.`host`), :nullif_3) AS `deployment`, nullif(trim(`events`.`ip`), :nullif_4) AS `client`, nullif(trim(`events`.`id`), :nullif_5) AS `event_id`, `events`.`ts` AS `used_at`, CAST(NULL AS STRING) AS `day`, nullif(trim(CAST(`events`.`ts` AS STRING)), :nullif_6) AS `written`, 1 AS `lines`, 1 AS `requests`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_18 END AS `errors`,
CASE WHEN (nullif(trim(`events`.`api key`), :nullif_7) IS NULL) THEN :param_19 END AS `problem`,
CASE WHEN false THEN :param_20 END AS `warning`,
CASE WHEN false THEN :param_21 || :param_22 || coalesce(nullif(trim(CAST(`events`.`status` AS STRING)), :nullif_8), :coalesce_3) ELSE coalesce(nullif(trim(`events`.`path`), :nullif_9), :coalesce_4) END AS `detail`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_23 AND `usage_rows`.`used_at` < :param_24) OR `usage_rows`.`used_at` >= :param_25 AND `usage_rows`.`used_at` < :param_26) AS `copies`
WHERE `copies`.`event_id` IS NULL OR `copies`.`copy` = :copy_1) AS `dated`) AS `counted`
GROUP BY `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`
ORDER BY `counted`.`on_day`
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
SELECT max(`usage_rows`.`day`) AS `max_1`, max(`usage_rows`.`used_at`) AS `max_2`
FROM (SELECT nullif(trim(`events`.`api key`), :nullif_1) AS `key_id`, nullif(trim(`events`.`path`), :nullif_2) AS `endpoint`, nullif(trim(`events`.`host`), :nullif_3) AS `deployment`, nullif(trim(`events`.`ip`), :nullif_4) AS `client`, CAST(NULL AS STRING) AS `event_id`, `events`.`ts` AS `used_at`, CAST(NULL AS STRING) AS `day`, nullif(trim(CAST(`events`.`ts` AS STRING)), :nullif_5) AS `written`, 1 AS `lines`, 1 AS `requests`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_1 END AS `errors`,
CASE WHEN (nullif(trim(`events`.`api key`), :nullif_6) IS NULL) THEN :param_2 END AS `problem`,
CASE WHEN false THEN :param_3 END AS `warning`,
CASE WHEN false THEN :param_4 || :param_5 || coalesce(nullif(trim(CAST(`events`.`status` AS STRING)), :nullif_7), :coalesce_1) ELSE coalesce(nullif(trim(`events`.`path`), :nullif_8), :coalesce_2) END AS `detail`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`problem` IS NULL AND NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7))
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
SELECT `usage_rows`.`key_id`, min(CASE WHEN (`usage_rows`.`requests` > :requests_1) THEN `usage_rows`.`day` END) AS `min_1`, max(CASE WHEN (`usage_rows`.`requests` > :requests_1) THEN `usage_rows`.`day` END) AS `max_1`, min(CASE WHEN (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3) THEN `usage_rows`.`used_at` END) AS `min_2`, max(CASE WHEN (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3) THEN `usage_rows`.`used_at` END) AS `max_2`
FROM (SELECT nullif(trim(`events`.`api key`), :nullif_1) AS `key_id`, nullif(trim(`events`.`path`), :nullif_2) AS `endpoint`, nullif(trim(`events`.`host`), :nullif_3) AS `deployment`, nullif(trim(`events`.`ip`), :nullif_4) AS `client`, CAST(NULL AS STRING) AS `event_id`, `events`.`ts` AS `used_at`, CAST(NULL AS STRING) AS `day`, nullif(trim(CAST(`events`.`ts` AS STRING)), :nullif_5) AS `written`, 1 AS `lines`, 1 AS `requests`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_4 END AS `errors`,
CASE WHEN (nullif(trim(`events`.`api key`), :nullif_6) IS NULL) THEN :param_5 END AS `problem`,
CASE WHEN false THEN :param_6 END AS `warning`,
CASE WHEN false THEN :param_7 || :param_8 || coalesce(nullif(trim(CAST(`events`.`status` AS STRING)), :nullif_7), :coalesce_1) ELSE coalesce(nullif(trim(`events`.`path`), :nullif_8), :coalesce_2) END AS `detail`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`problem` IS NULL AND `usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3
GROUP BY `usage_rows`.`key_id`
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
SELECT `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`, CAST(sum(`counted`.`lines`) AS INT64) AS `lines`, CAST(sum(`counted`.`requests`) AS INT64) AS `request_count`, CAST(sum(`counted`.`errors`) AS INT64) AS `error_count`, max(`counted`.`used_at`) AS `last_used`, min(`counted`.`detail`) AS `least`, max(`counted`.`detail`) AS `most`
FROM (SELECT `dated`.`on_day` AS `on_day`, `dated`.`problem` AS `problem`, `dated`.`warning` AS `warning`, `dated`.`lines` AS `lines`, `dated`.`requests` AS `requests`, `dated`.`errors` AS `errors`, `dated`.`used_at` AS `used_at`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`key_id` END AS `key_id`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`endpoint` END AS `endpoint`,
CASE WHEN (`dated`.`problem` IS NULL) THEN `dated`.`deployment` END AS `deployment`,
CASE WHEN (`dated`.`problem` IS NOT NULL OR `dated`.`warning` IS NOT NULL) THEN `dated`.`detail` END AS `detail`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`client` AS `client`, `usage_rows`.`event_id` AS `event_id`,
CASE WHEN (`usage_rows`.`day` IS NOT NULL) THEN `usage_rows`.`used_at` END AS `used_at`, `usage_rows`.`day` AS `day`, `usage_rows`.`written` AS `written`, `usage_rows`.`lines` AS `lines`, `usage_rows`.`requests` AS `requests`, `usage_rows`.`errors` AS `errors`,
CASE WHEN (`usage_rows`.`day` IS NULL) THEN :param_1 ELSE `usage_rows`.`problem` END AS `problem`,
CASE WHEN (`usage_rows`.`day` IS NULL) THEN CAST(NULL AS STRING) ELSE `usage_rows`.`warning` END AS `warning`,
CASE WHEN (`usage_rows`.`day` IS NULL) THEN :param_2 || coalesce(`usage_rows`.`written`, :coalesce_1) || :param_3 || coalesce(`usage_rows`.`key_id`, :coalesce_2) ELSE `usage_rows`.`detail` END AS `detail`,
CASE WHEN (`usage_rows`.`day` IS NULL) THEN :param_4 ELSE `usage_rows`.`day` END AS `on_day`
FROM (SELECT nullif(trim(`daily`.`key_id`), :nullif_1) AS `key_id`, nullif(trim(`daily`.`endpoint`), :nullif_2) AS `endpoint`, coalesce(nullif(trim(`daily`.`deployment`), :nullif_3), :coalesce_3) AS `deployment`, CAST(NULL AS STRING) AS `client`, CAST(NULL AS STRING) AS `event_id`, CAST(NULL AS STRING) AS `used_at`, `daily`.`day` AS `day`, nullif(trim(CAST(`daily`.`day` AS STRING)), :nullif_4) AS `written`, 1 AS `lines`,
CASE WHEN (`daily`.`request_count` BETWEEN :request_count_1 AND :param_5) THEN CAST(`daily`.`request_count` AS INT64) ELSE NULL END AS `requests`,
CASE WHEN (CASE WHEN (`daily`.`error_count` BETWEEN :error_count_1 AND :param_6) THEN CAST(`daily`.`error_count` AS INT64) ELSE NULL END >
CASE WHEN (`daily`.`request_count` BETWEEN :request_count_1 AND :param_5) THEN CAST(`daily`.`request_count` AS INT64) ELSE NULL END) THEN
CASE WHEN (`daily`.`request_count` BETWEEN :request_count_1 AND :param_5) THEN CAST(`daily`.`request_count` AS INT64) ELSE NULL END ELSE coalesce(CASE WHEN (`daily`.`error_count` BETWEEN :error_count_1 AND :param_6) THEN CAST(`daily`.`error_count` AS INT64) ELSE NULL END, :coalesce_4) END AS `errors`,
CASE WHEN (nullif(trim(`daily`.`key_id`), :nullif_5) IS NULL) THEN :param_7 WHEN (CASE WHEN (`daily`.`request_count` BETWEEN :request_count_1 AND :param_5) THEN CAST(`daily`.`request_count` AS INT64) ELSE NULL END IS NULL) THEN :param_8 END AS `problem`,
CASE WHEN (CASE WHEN (`daily`.`error_count` BETWEEN :error_count_1 AND :param_6) THEN CAST(`daily`.`error_count` AS INT64) ELSE NULL END IS NULL AND `daily`.`error_count` IS NOT NULL) THEN :param_9 WHEN (CASE WHEN (`daily`.`error_count` BETWEEN :error_count_1 AND :param_6) THEN CAST(`daily`.`error_count` AS INT64) ELSE NULL END >
CASE WHEN (`daily`.`request_count` BETWEEN :request_count_1 AND :param_5) THEN CAST(`daily`.`request_count` AS INT64) ELSE NULL END) THEN :param_10 END AS `warning`, :param_11 || :param_12 || coalesce(nullif(trim(`daily`.`key_id`), :nullif_6), :coalesce_5) || :param_13 || coalesce(nullif(trim(CAST(`daily`.`request_count` AS STRING)), :nullif_7), :coalesce_6) || :param_14 || coalesce(nullif(trim(CAST(`daily`.`error_count` AS STRING)), :nullif_8), :coalesce_7) AS `detail`
FROM `daily` ) AS `usage_rows`
WHERE `usage_rows`.`day` IS NULL OR `usage_rows`.`day` BETWEEN :param_15 AND :param_16) AS `dated`) AS `counted`
GROUP BY `counted`.`on_day`, `counted`.`problem`, `counted`.`warning`, `counted`.`key_id`, `counted`.`endpoint`, `counted`.`deployment`
ORDER BY `counted`.`on_day`
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
