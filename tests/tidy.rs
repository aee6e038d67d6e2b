//! Keeps the house tidy: arrows between rooms, no stray debug code.
