-- The part of each user: the first 80 percent by the time of the last event for training, the next 10 for validation.
-- Users with equal times keep the order in which they first appear. Cells of time make the ranking parallel.
CREATE TABLE lasts USING parquet AS
SELECT user, max(time) AS last, min(place) AS first FROM kept GROUP BY user;

CREATE TABLE parts USING parquet AS
WITH bounds AS (
    SELECT CAST(min(last) AS DOUBLE) AS low, CAST(max(last) AS DOUBLE) AS high, count(*) AS users FROM lasts
),
celled AS (
    SELECT
        user, last, first, users,
        coalesce(floor((CAST(last AS DOUBLE) - low) / nullif(high - low, 0) * 65535), 0) AS cell
    FROM lasts CROSS JOIN bounds
),
cells AS (
    SELECT cell, sum(count(*)) OVER (ORDER BY cell) - count(*) AS before FROM celled GROUP BY cell
),
ranked AS (
    SELECT user, users, before + row_number() OVER (PARTITION BY cell ORDER BY last, first) AS rank
    FROM celled JOIN cells USING (cell)
)
SELECT
    user,
    CASE WHEN rank <= users * 8 DIV 10 THEN 'train' WHEN rank <= users * 9 DIV 10 THEN 'validation' ELSE 'test' END
        AS part
FROM ranked;
