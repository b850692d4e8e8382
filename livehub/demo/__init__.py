"""The whole product on one machine, with imitated platforms."""
