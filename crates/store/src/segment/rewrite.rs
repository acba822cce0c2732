//! Rewriting segments without the rows of one tenant.
