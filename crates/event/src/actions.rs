//! Known actions: data files, one per family, that give an action its category, severity, sentence and mappings.
