-- Changes of immutable rows are refused to every role, including the owner of the books.
CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on ledger.% is refused: the books are append-only, a mistake is corrected by a new transfer',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'BU008';
END
$$;
