"""The paper exchange: a Binance Spot look-alike with real accounts; the desk's own engine matches its orders."""
