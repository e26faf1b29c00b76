-- The events of the items and users of the last round.
CREATE TABLE kept USING parquet AS
SELECT events.owner, events.user, events.item, events.time, events.place
FROM events LEFT SEMI JOIN items_${round} USING (item) LEFT SEMI JOIN users_${round} USING (user);
