-- Row-level security and grants of the pace of Slack's hooks. Workers alone read and write it.

SELECT pg_temp.row_security('slack_turns');
GRANT SELECT, INSERT, UPDATE ON slack_turns TO bursar_platform;
