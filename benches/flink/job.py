"""The Flink SQL job that this pipeline replaces, with files in place of the streams.

Usage: job.py CLICKS SESSIONS GAP_SECONDS, the first two of them folders. State is on the heap, the cheapest place.

LAG of the time over each user's clicks, a boundary where the difference is at least the gap, and a running sum of the
boundaries as ordinal. Event time is in whole seconds, as in the original, whatever the clicks have.
"""

import sys

from pyflink.table import EnvironmentSettings, TableEnvironment

PARALLELISM = 2

CLICKS = """
CREATE TABLE clicks (
  user_id STRING,
  event_timestamp STRING,
  event_name STRING,
  event_type STRING,
  device_type STRING,
  event_time AS TO_TIMESTAMP(FROM_UNIXTIME(CAST(event_timestamp AS BIGINT) / 1000)),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')
"""

SESSIONS = """
CREATE TABLE sessions (
  user_id STRING,
  session_timestamp BIGINT,
  session_time STRING,
  session_id STRING,
  event_type STRING,
  device_type STRING
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')
"""

SESSIONIZE = """
INSERT INTO sessions
SELECT user_id, CAST(event_timestamp AS BIGINT), DATE_FORMAT(event_time, 'yyyy-MM-dd HH:mm:ss'),
       user_id || '_' || CAST(ordinal AS STRING), event_type, device_type
FROM (
  SELECT *, SUM(is_boundary) OVER (PARTITION BY user_id ORDER BY event_time) AS ordinal
  FROM (
    SELECT *,
      CASE WHEN TIMESTAMPDIFF(SECOND, previous_time, event_time) >= {gap_seconds} THEN 1 ELSE 0 END AS is_boundary
    FROM (
      SELECT *, LAG(event_time) OVER (PARTITION BY user_id ORDER BY event_time) AS previous_time
      FROM clicks
    )
  )
)
WHERE is_boundary = 1
"""


def main():
    clicks, sessions, gap_seconds = sys.argv[1:]
    flink = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    flink.get_config().set("parallelism.default", str(PARALLELISM))
    flink.get_config().set("table.local-time-zone", "UTC")
    flink.execute_sql(CLICKS.format(path=clicks))
    flink.execute_sql(SESSIONS.format(path=sessions))
    flink.execute_sql(SESSIONIZE.format(gap_seconds=int(gap_seconds))).wait()


if __name__ == "__main__":
    main()
