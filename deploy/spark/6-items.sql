-- The items of the written events, in one file, and the counts that the front end prints.
CREATE TABLE written_items USING csv OPTIONS (${csv}) LOCATION '${out}/items' AS
SELECT
    item, count(*) AS `events:integer`, count(DISTINCT user) AS `users:integer`,
    ${text_of_first} AS `first:number`, ${text_of_last} AS `last:number`
FROM kept GROUP BY item
DISTRIBUTE BY 1
SORT BY item;

SELECT
    (SELECT count(*) FROM log) AS rows, count(*) AS events, count(DISTINCT user) AS users,
    count(DISTINCT item) AS items, (SELECT count(*) FROM (
        SELECT item FROM kept GROUP BY item HAVING count(*) < ${core}
    )) AS rare
FROM kept;

DROP TABLE log;
DROP TABLE events;
