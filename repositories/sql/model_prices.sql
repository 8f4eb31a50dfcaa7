-- Grants and immutability of the prices of models. Running it again replaces everything. They are public: tenants read
-- all of them, and only the platform's role adds some.

SELECT pg_temp.append_only('model_prices', 'model_price_imports');
GRANT SELECT ON model_prices, model_price_imports TO bursar_api;
GRANT SELECT, INSERT ON model_prices, model_price_imports TO bursar_platform;
