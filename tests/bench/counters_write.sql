-- What a user does while counters are counted: follows somebody, and posts.
\set follower random(1, :users)
\set followed random(1, :users)
INSERT INTO social.follows VALUES (:follower, :followed) ON CONFLICT DO NOTHING;
INSERT INTO social.posts (user_id) VALUES (:follower);
