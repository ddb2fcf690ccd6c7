"""Text tables: their encoding, dialect and header; the gate and the tokeniser that read them."""
