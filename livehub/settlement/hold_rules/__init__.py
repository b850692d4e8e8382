"""When settlement is held back: one file for each rule, with the attribute RULE."""
