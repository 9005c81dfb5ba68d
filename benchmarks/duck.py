"""python -m benchmarks.duck PAGES CSV PARQUET: the pages by one SQL query, as a user of DuckDB would write it.

Nothing is checked or rejected, and there is no manifest; of each edited post only the newest version stays. Two
threads, as many as the script's benchmarks have processors.
"""

import sys

import duckdb

THREADS = 2
# Only the keys that are needed: DuckDB passes over the rest while it parses.
ENTITIES = """STRUCT(hashtags STRUCT(tag VARCHAR)[], mentions STRUCT(username VARCHAR)[],
    urls STRUCT(expanded_url VARCHAR, url VARCHAR)[])"""
NOTE = f"STRUCT(text VARCHAR, entities {ENTITIES})"
TEXTS = f"id VARCHAR, text VARCHAR, note_tweet {NOTE}, entities {ENTITIES}, attachments STRUCT(media_keys VARCHAR[])"
METRICS = ", ".join(f"{name}_count BIGINT" for name in ("like", "retweet", "reply", "quote", "bookmark", "impression"))
POST = f"""STRUCT({TEXTS}, created_at TIMESTAMP, author_id VARCHAR, lang VARCHAR, public_metrics STRUCT({METRICS}),
    conversation_id VARCHAR, in_reply_to_user_id VARCHAR, referenced_tweets STRUCT("type" VARCHAR, id VARCHAR)[],
    edit_history_tweet_ids VARCHAR[], possibly_sensitive BOOLEAN, withheld STRUCT(country_codes VARCHAR[]),
    article STRUCT(title VARCHAR), geo STRUCT(place_id VARCHAR))"""
MEDIUM = """STRUCT(media_key VARCHAR, "type" VARCHAR, url VARCHAR, preview_image_url VARCHAR,
    variants STRUCT(bit_rate BIGINT, content_type VARCHAR, url VARCHAR)[])"""
INCLUDES = f"""STRUCT(users STRUCT(id VARCHAR, username VARCHAR)[], tweets STRUCT({TEXTS})[], media {MEDIUM}[],
    places STRUCT(id VARCHAR, full_name VARCHAR)[])"""

QUERY = f"""
CREATE TEMP TABLE refined AS
WITH pages AS (
    FROM read_json(?, format = 'newline_delimited', maximum_object_size = 67108864, columns = {{
        data: '{POST}[]', includes: '{INCLUDES}', __tweetlake: 'STRUCT(collected_at TIMESTAMP)'}})
),
posts AS (
    SELECT unnest(data) AS p, includes AS i, __tweetlake.collected_at AS collected_at FROM pages
),
referring AS (
    SELECT *, list_filter(i.users, lambda u: u.id = p.author_id)[1].username AS username,
        list_filter(p.referenced_tweets, lambda r: r.type = 'retweeted')[1].id AS retweeted,
        list_filter(p.referenced_tweets, lambda r: r.type = 'replied_to')[1].id AS replied_to,
        list_filter(p.referenced_tweets, lambda r: r.type = 'quoted')[1].id AS quoted
    FROM posts
),
whole AS (
    SELECT *, list_filter(i.tweets, lambda t: t.id = retweeted)[1] AS original FROM referring
),
told AS (
    SELECT *, CASE WHEN original IS NULL THEN coalesce(p.note_tweet.text, p.text)
            ELSE split_part(p.text, ': ', 1) || ': ' || coalesce(original.note_tweet.text, original.text) END AS words,
        CASE WHEN original IS NULL THEN coalesce(p.note_tweet.entities, p.entities)
            ELSE coalesce(original.note_tweet.entities, original.entities) END AS e,
        list_transform(coalesce(p.attachments, original.attachments).media_keys,
            lambda k: list_filter(i.media, lambda m: m.media_key = k)[1]) AS media
    FROM whole
)
SELECT p.id AS id, p.created_at AS created_at, username, p.author_id AS author_id,
    replace(replace(replace(words, '&lt;', '<'), '&gt;', '>'), '&amp;', '&') AS text, p.lang AS lang,
    p.public_metrics.like_count AS likes, p.public_metrics.retweet_count AS retweets,
    p.public_metrics.reply_count AS replies, p.public_metrics.quote_count AS quotes,
    p.public_metrics.bookmark_count AS bookmarks, p.public_metrics.impression_count AS impressions,
    replied_to IS NOT NULL OR p.in_reply_to_user_id IS NOT NULL AS is_reply,
    retweeted IS NOT NULL AS is_retweet, quoted IS NOT NULL AS is_quote, p.conversation_id AS conversation_id,
    coalesce(retweeted, replied_to, quoted) AS referenced_id,
    'https://x.com/' || coalesce(username, 'i') || '/status/' || p.id AS url,
    CASE WHEN e IS NOT NULL THEN coalesce([h.tag for h in e.hashtags], []) END AS hashtags,
    CASE WHEN e IS NOT NULL THEN coalesce([m.username for m in e.mentions], []) END AS mentions,
    CASE WHEN e IS NOT NULL THEN coalesce(list_transform(e.urls, lambda u: coalesce(u.expanded_url, u.url)), []) END
        AS links,
    len(p.edit_history_tweet_ids) > 1 AS edited, p.edit_history_tweet_ids AS edit_history_ids,
    p.possibly_sensitive AS possibly_sensitive, p.withheld.country_codes AS withheld_countries, collected_at,
    [m.type for m in media] AS media_types,
    list_transform(media, lambda m: coalesce(m.url, list_filter(m.variants, lambda v: v.content_type = 'video/mp4'
        AND v.bit_rate = list_max([w.bit_rate for w in m.variants]))[1].url, m.preview_image_url)) AS media_urls,
    p.article.title AS article_title, list_filter(i.places, lambda l: l.id = p.geo.place_id)[1].full_name AS place
FROM told
QUALIFY row_number() OVER (PARTITION BY coalesce(p.edit_history_tweet_ids[1], p.id) ORDER BY p.id DESC) = 1
ORDER BY p.created_at, p.id
"""  # noqa: S608 (nothing in it comes from outside)

if __name__ == "__main__":
    pages, csv, parquet = sys.argv[1:]
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute(QUERY, [pages])
    connection.execute(f"COPY refined TO '{csv}' (HEADER)")
    connection.execute(f"COPY refined TO '{parquet}' (COMPRESSION zstd)")
