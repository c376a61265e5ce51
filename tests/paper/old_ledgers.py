"""What makes a ledger of today one of an earlier version, as far as a script of SQL can: the newest change first."""

TO_VERSION_11 = """
    DROP TABLE prevented_matches;
    ALTER TABLE orders DROP COLUMN prevented_match_id;
    PRAGMA user_version = 11;
"""
TO_VERSION_10 = f"""
    {TO_VERSION_11}
    DROP TABLE amendments;
    PRAGMA user_version = 10;
"""
TO_VERSION_9 = f"""
    {TO_VERSION_10}
    DROP TABLE bars;
    PRAGMA user_version = 9;
"""
TO_VERSION_8 = f"""
    {TO_VERSION_9}
    ALTER TABLE orders DROP COLUMN trailing_bps;
    ALTER TABLE orders DROP COLUMN trail_ticks;
    ALTER TABLE orders DROP COLUMN trailing_ms;
    PRAGMA user_version = 8;
"""
TO_VERSION_7 = f"""
    {TO_VERSION_8}
    UPDATE orders SET account = account % 65536;
    UPDATE trades SET account = account % 65536;
    UPDATE order_lists SET account = account % 65536;
    ALTER TABLE accounts DROP COLUMN swept_count;
    PRAGMA user_version = 7;
"""
TO_VERSION_6 = f"""
    {TO_VERSION_7}
    DROP INDEX orders_by_list;
    DROP TABLE order_lists;
    DROP TABLE remnants;
    ALTER TABLE orders DROP COLUMN list_id;
    ALTER TABLE orders DROP COLUMN reserve;
    ALTER TABLE trades DROP COLUMN list_id;
    PRAGMA user_version = 6;
"""
TO_VERSION_5 = f"""
    {TO_VERSION_6}
    ALTER TABLE orders DROP COLUMN expiry_reason;
    PRAGMA user_version = 5;
"""
