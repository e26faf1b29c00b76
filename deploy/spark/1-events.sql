-- The events of the log, each with its place in it: the number of the split of a file, and below that of the row.
-- A row without user, item or time ends the run.
CREATE OR REPLACE TEMPORARY VIEW raw ${schema} USING ${format} OPTIONS (path '${input}'${options});

CREATE TABLE log USING parquet AS
SELECT
    coalesce(nullif(trim(user), ''), raise_error(concat('a row without a user in ', file))) AS user,
    coalesce(nullif(trim(item), ''), raise_error(concat('a row without an item in ', file))) AS item,
    coalesce(
        try_cast(time AS DECIMAL(38, 9)),
        CAST(CAST(unix_micros(try_cast(time AS TIMESTAMP)) AS DECIMAL(20, 0)) * 0.000001BD AS DECIMAL(38, 9)),
        raise_error(concat('the time ', coalesce(time, 'NULL'), ' is no number and no ISO 8601 time, in ', file))
    ) AS time,
    try_cast(time AS DECIMAL(38, 9)) IS NOT NULL AS is_number,
    file, block, row
FROM (
    SELECT
        CAST(${user} AS STRING) AS user, CAST(${item} AS STRING) AS item, trim(CAST(${time} AS STRING)) AS time,
        input_file_name() AS file, input_file_block_start() AS block,
        monotonically_increasing_id() & 8589934591L AS row
    FROM raw
    WHERE ${where}
);

SELECT assert_true(count(DISTINCT is_number) < 2, 'some times are numbers and some are dates; convert them to one form')
FROM log;

-- Files in the order of their folders and names, as the trainer reads them.
CREATE OR REPLACE TEMPORARY VIEW splits AS
SELECT file, block, row_number() OVER (ORDER BY split(file, '/'), block) AS number
FROM (SELECT DISTINCT file, block FROM log);

-- Without repeated rows, and cut into sessions, if that is asked for. Otherwise Spark leaves the windows out.
CREATE TABLE events USING parquet AS
SELECT
    user AS owner,
    IF(${gap} IS NULL, user, concat(user, '#', 1 + sum(starts) OVER (PARTITION BY user ORDER BY time, place))) AS user,
    item, time, place
FROM (
    SELECT
        user, item, time, place,
        IF(time - lag(time) OVER (PARTITION BY user ORDER BY time, place) > ${gap}, 1, 0) AS starts
    FROM (
        SELECT
            user, item, time, place,
            row_number() OVER (PARTITION BY user, item, time ORDER BY place) AS copy
        FROM (
            SELECT user, item, time, shiftleft(CAST(number AS BIGINT), 33) + row AS place
            FROM log JOIN splits USING (file, block)
        )
    )
    WHERE NOT ${distinct} OR copy = 1
);
