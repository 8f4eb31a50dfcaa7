-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

-- The schema `reporting` and its role.
\ir ../../repositories/sql/insight/reporting.sql
