-- What a visitor does while counters are counted: reads one user.
\set key random(1, :users)
SELECT followers_count, following_count, posts_count FROM social.users WHERE user_id = :key;
