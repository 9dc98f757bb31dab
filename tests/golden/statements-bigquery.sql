-- requests of a window
SELECT `dated`.`on_day`, `dated`.`written`, `dated`.`unread_client`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`failed`, `dated`.`status`, CAST(count(*) AS INT64) AS `lines`, max(`dated`.`used_at`) AS `last_used`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`failed` AS `failed`, `usage_rows`.`status` AS `status`, `usage_rows`.`client` AS `client`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END AS `used_at`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN `usage_rows`.`written` END AS `written`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN `usage_rows`.`client` END AS `unread_client`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_3) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_4) THEN 1 ELSE 2 END END END AS `on_day`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_5 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2) OR `usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7) AS `dated`
GROUP BY `dated`.`on_day`, `dated`.`written`, `dated`.`unread_client`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`failed`, `dated`.`status`
ORDER BY `dated`.`on_day`
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_5 = 0
-- param_6 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- clients of a window
SELECT `dated`.`on_day`, `dated`.`key_id`, count(DISTINCT nullif(nullif(trim(`dated`.`client`), :nullif_1), :nullif_2)) AS `client_count`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`failed` AS `failed`, `usage_rows`.`status` AS `status`, `usage_rows`.`client` AS `client`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2))) THEN `usage_rows`.`used_at` END AS `used_at`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN `usage_rows`.`written` END AS `written`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN `usage_rows`.`client` END AS `unread_client`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_3) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_4) THEN 1 ELSE 2 END END END AS `on_day`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_5 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2) OR `usage_rows`.`used_at` >= :param_6 AND `usage_rows`.`used_at` < :param_7) AS `dated`
WHERE `dated`.`on_day` != :on_day_1 AND nullif(nullif(trim(`dated`.`client`), :nullif_1), :nullif_2) IS NOT NULL
GROUP BY `dated`.`on_day`, `dated`.`key_id`
ORDER BY `dated`.`on_day`
-- nullif_1 = ''
-- nullif_2 = '-'
-- on_day_1 = -1
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_5 = 0
-- param_6 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_7 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- requests that carry ids
SELECT `dated`.`on_day`, `dated`.`written`, `dated`.`unread_client`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`failed`, `dated`.`status`, CAST(count(*) AS INT64) AS `lines`, CAST(sum(`dated`.`repeated`) AS INT64) AS `repeats`, max(`dated`.`used_at`) AS `last_used`
FROM (SELECT `copies`.`key_id` AS `key_id`, `copies`.`endpoint` AS `endpoint`, `copies`.`deployment` AS `deployment`, `copies`.`failed` AS `failed`, `copies`.`status` AS `status`, `copies`.`client` AS `client`, `copies`.`event_id` AS `event_id`, `copies`.`used_at` AS `used_at`, `copies`.`written` AS `written`, `copies`.`unread_client` AS `unread_client`, `copies`.`on_day` AS `on_day`, `copies`.`copy` AS `copy`, `copies`.`event` AS `event`,
CASE WHEN (`copies`.`event` IS NOT NULL AND `copies`.`key_id` IS NOT NULL AND `copies`.`copy` > :copy_1) THEN 1 ELSE :param_1 END AS `repeated`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`failed` AS `failed`, `usage_rows`.`status` AS `status`, `usage_rows`.`client` AS `client`, `usage_rows`.`event_id` AS `event_id`,
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3))) THEN `usage_rows`.`used_at` END AS `used_at`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN `usage_rows`.`written` END AS `written`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN `usage_rows`.`client` END AS `unread_client`,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_4) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_5) THEN 1 ELSE 2 END END END AS `on_day`, row_number() OVER (PARTITION BY trim(`usage_rows`.`key_id`), nullif(trim(`usage_rows`.`event_id`), :nullif_1),
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN -1 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_4) THEN 0 ELSE
CASE WHEN (`usage_rows`.`used_at` < :param_5) THEN 1 ELSE 2 END END END,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN `usage_rows`.`written` END
ORDER BY
CASE WHEN (NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3))) THEN `usage_rows`.`used_at` END,
CASE WHEN (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) THEN `usage_rows`.`written` END, `usage_rows`.`endpoint`, `usage_rows`.`deployment`, `usage_rows`.`status`) AS `copy`, nullif(trim(`usage_rows`.`event_id`), :nullif_1) AS `event`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`, `events`.`id` AS `event_id`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_6 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3) OR `usage_rows`.`used_at` >= :param_7 AND `usage_rows`.`used_at` < :param_8) AS `copies`) AS `dated`
GROUP BY `dated`.`on_day`, `dated`.`written`, `dated`.`unread_client`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`failed`, `dated`.`status`
ORDER BY `dated`.`on_day`
-- copy_1 = 1
-- nullif_1 = ''
-- param_1 = 0
-- param_2 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_5 = datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc)
-- param_6 = 0
-- param_7 = datetime.datetime(2026, 3, 27, 23, 0, tzinfo=datetime.timezone.utc)
-- param_8 = datetime.datetime(2026, 3, 30, 22, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- latest request
SELECT max(`usage_rows`.`used_at`) AS `max_1`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_1 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3 AND `usage_rows`.`used_at` < :param_4
-- param_1 = 0
-- param_2 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_4 = datetime.datetime(2026, 3, 31, 2, 30, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- quarters of an hour
SELECT CAST(`instants`.`used_at` AS DATE) AS `part_0`, EXTRACT(hour
FROM `instants`.`used_at`) AS `part_1`,
CASE WHEN (EXTRACT(minute
FROM `instants`.`used_at`) < 15) THEN 0 WHEN (EXTRACT(minute
FROM `instants`.`used_at`) < 30) THEN 15 WHEN (EXTRACT(minute
FROM `instants`.`used_at`) < 45) THEN 30 ELSE 45 END AS `part_2`, `instants`.`is_before`, count(*) AS `records`, max(`instants`.`used_at`) AS `max_1`
FROM (SELECT `usage_rows`.`used_at` AS `used_at`,
CASE WHEN (`usage_rows`.`used_at` < :param_1) THEN :param_2 ELSE :param_3 END AS `is_before`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_4 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE NOT (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_5 AND `usage_rows`.`used_at` < :param_6))) AS `instants`
GROUP BY `part_0`, `part_1`, `part_2`, `instants`.`is_before`
-- param_1 = datetime.datetime(2026, 3, 31, 2, 30, tzinfo=datetime.timezone.utc)
-- param_2 = 1
-- param_3 = 0
-- param_4 = 0
-- param_5 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_6 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- days of a rollup
SELECT `usage_rows`.`day`, count(*) AS `count_1`, NULL AS `anon_1`
FROM (SELECT `daily`.`day` AS `day`, CAST(`daily`.`day` AS STRING) AS `written`, `daily`.`key_id` AS `key_id`, `daily`.`endpoint` AS `endpoint`, `daily`.`deployment` AS `deployment`, CAST(`daily`.`request_count` AS STRING) AS `request_count`, CAST(`daily`.`error_count` AS STRING) AS `error_count`
FROM `daily` ) AS `usage_rows`
WHERE NOT (`usage_rows`.`day` IS NULL OR `usage_rows`.`day` < :param_1 OR `usage_rows`.`day` >= :param_2)
GROUP BY `usage_rows`.`day`
-- param_1 = datetime.date(1971, 1, 1)
-- param_2 = datetime.date(2200, 1, 1)

-- use before a day
SELECT `usage_rows`.`key_id`, NULL AS `anon_1`, NULL AS `anon__1`, min(CASE WHEN (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3) THEN `usage_rows`.`used_at` END) AS `min_1`, max(CASE WHEN (`usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3) THEN `usage_rows`.`used_at` END) AS `max_1`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_4 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE `usage_rows`.`used_at` >= :param_1 AND `usage_rows`.`used_at` < :param_2 AND `usage_rows`.`used_at` < :param_3
GROUP BY `usage_rows`.`key_id`
-- param_1 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_2 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc)
-- param_4 = 0
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- times that the database cannot read
SELECT DISTINCT `usage_rows`.`key_id`, `usage_rows`.`written`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_1 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) AND `usage_rows`.`written` IS NOT NULL
-- param_1 = 0
-- param_2 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- their numbers
SELECT `usage_rows`.`written`, count(*) AS `count_1`
FROM (SELECT `events`.`ts` AS `used_at`, CAST(`events`.`ts` AS STRING) AS `written`, `events`.`api key` AS `key_id`, `events`.`path` AS `endpoint`, `events`.`host` AS `deployment`, `events`.`ip` AS `client`,
CASE WHEN (`events`.`status` BETWEEN :status_1 AND :status_2) THEN 1 ELSE :param_1 END AS `failed`,
CASE WHEN (`events`.`status` NOT BETWEEN :status_3 AND :status_4) THEN CAST(`events`.`status` AS STRING) END AS `status`
FROM `logs`.`events` ) AS `usage_rows`
WHERE (`usage_rows`.`used_at` IS NULL OR NOT (`usage_rows`.`used_at` >= :param_2 AND `usage_rows`.`used_at` < :param_3)) AND `usage_rows`.`written` IS NOT NULL
GROUP BY `usage_rows`.`written`
-- param_1 = 0
-- param_2 = datetime.datetime(1971, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- param_3 = datetime.datetime(2200, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
-- status_1 = 400
-- status_2 = 599
-- status_3 = 100
-- status_4 = 599

-- rollup of a window
SELECT `dated`.`on_day`, `dated`.`written`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`request_count`, `dated`.`error_count`, CAST(count(*) AS INT64) AS `lines`
FROM (SELECT `usage_rows`.`key_id` AS `key_id`, `usage_rows`.`endpoint` AS `endpoint`, `usage_rows`.`deployment` AS `deployment`, `usage_rows`.`request_count` AS `request_count`, `usage_rows`.`error_count` AS `error_count`,
CASE WHEN (`usage_rows`.`day` IS NULL OR `usage_rows`.`day` < :param_1 OR `usage_rows`.`day` >= :param_2) THEN `usage_rows`.`written` END AS `written`,
CASE WHEN (`usage_rows`.`day` IS NULL OR `usage_rows`.`day` < :param_1 OR `usage_rows`.`day` >= :param_2) THEN :param_3 ELSE `usage_rows`.`day` END AS `on_day`
FROM (SELECT `daily`.`day` AS `day`, CAST(`daily`.`day` AS STRING) AS `written`, `daily`.`key_id` AS `key_id`, `daily`.`endpoint` AS `endpoint`, `daily`.`deployment` AS `deployment`, CAST(`daily`.`request_count` AS STRING) AS `request_count`, CAST(`daily`.`error_count` AS STRING) AS `error_count`
FROM `daily` ) AS `usage_rows`
WHERE `usage_rows`.`day` IS NULL OR `usage_rows`.`day` < :param_1 OR `usage_rows`.`day` >= :param_2 OR `usage_rows`.`day` BETWEEN :param_4 AND :param_5) AS `dated`
GROUP BY `dated`.`on_day`, `dated`.`written`, `dated`.`key_id`, `dated`.`endpoint`, `dated`.`deployment`, `dated`.`request_count`, `dated`.`error_count`
ORDER BY `dated`.`on_day`
-- param_1 = datetime.date(1971, 1, 1)
-- param_2 = datetime.date(2200, 1, 1)
-- param_3 = datetime.date(1970, 1, 1)
-- param_4 = datetime.date(2026, 3, 28)
-- param_5 = datetime.date(2026, 3, 30)
