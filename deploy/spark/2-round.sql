-- Round ${round}: the items with enough events of the users of the round before, then the users with enough events
-- of these items.
CREATE TABLE items_${round} USING parquet AS
SELECT item FROM events ${of_users} GROUP BY item HAVING count(*) >= ${core};

CREATE TABLE users_${round} USING parquet AS
SELECT user FROM events LEFT SEMI JOIN items_${round} USING (item) GROUP BY user HAVING count(*) >= ${core};
