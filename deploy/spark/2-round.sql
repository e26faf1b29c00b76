-- Round ${round}: the items with enough events of the users of the round before, then the users with enough events
-- of these items.
CACHE TABLE items_${round} AS
SELECT item FROM events ${of_users} GROUP BY item HAVING count(*) >= ${core};

CACHE TABLE users_${round} AS
SELECT user FROM events LEFT SEMI JOIN items_${round} USING (item) GROUP BY user HAVING count(*) >= ${core};
