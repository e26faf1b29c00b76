SELECT assert_true(count(*) > 0, 'no events are left for ${part} after the filters')
FROM (SELECT 1 FROM kept ${of_part} LIMIT 1);

-- The folder ${part}: a folder for each range of the hashes of users. Rows are sorted by hash, then by time, so the
-- files make the same log for every number of partitions.
CREATE TABLE written_${part} USING csv OPTIONS (${csv}) PARTITIONED BY (user_hash) LOCATION '${out}/${part}' AS
SELECT
    kept.user AS user, kept.item AS item,
    ${text_of_time} AS timestamp,
    lpad(CAST(CAST(conv(left(md5(owner), 8), 16, 10) AS BIGINT) * ${partitions} DIV 4294967296 AS STRING), ${width}, '0')
        AS user_hash
FROM kept ${of_part}
DISTRIBUTE BY user_hash
SORT BY user_hash, md5(owner), owner, time, place;
